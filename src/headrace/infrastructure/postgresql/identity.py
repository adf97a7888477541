"""Which database a connection reaches, so that two of them can be told to be at home in the same one. Not whether it can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def identity_of(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    """The same text for all connections to this database of this server as this user, by whatever address they came. Another user
    may not see what this one stages, so for the same rows counts only the same user."""
    row = connection.execute(
        "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text, current_user::text, "
        "has_function_privilege('pg_catalog.pg_control_system()', 'execute'), pg_postmaster_start_time()::text"
    ).fetchone()
    database, user, may_ask, started = row or ("", "", False, "")
    server = started  # without the right to ask for its number, a server is known by when it was started
    if may_ask:
        number = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        server = number[0] if number else started
    return f"postgres/{server}/{database}/{user}"
