"""What PostgreSQL refused, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import NonRetryableError, RetryableError, RunError

if TYPE_CHECKING:
    import psycopg

#: Classes of SQLSTATE that pass: connection lost, out of resources, rolled back by conflict, locked, operator intervened.
_PASSING = ("08", "40", "53", "55", "57")

_HINTS = {
    "42501": "grant the user the right, or connect as one who has it",
    "3F000": "create the schema, or name another one",
    "22": "mend the rows in a step, or let the contract hold them back",
    "23": "mend the rows, or loosen the constraint of the table",
}


@contextmanager
def postgres_faults(shown: str) -> Iterator[None]:
    """Turn what psycopg raises into our errors."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise explained(shown, error) from error


def system_of(url: str) -> str:
    """The server behind an address, by which all who reach it know it: without user, password and database."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(url)
    except ProgrammingError:
        return "postgres"
    return f"postgres://{found.get('host') or 'localhost'}:{found.get('port') or 5432}"


def explained(shown: str, error: psycopg.Error) -> RunError:
    import psycopg

    state = error.sqlstate
    text = _text(error)
    if state is None and isinstance(error, psycopg.ProgrammingError):
        # The driver repeats what it could not read, and there may be a password in it.
        hint = "write it as postgresql://user@host:port/database"
        return NonRetryableError(f"{shown}: `url` is not the address of a PostgreSQL database", hint=hint)
    if state is None and isinstance(error, psycopg.OperationalError):
        return _not_connected(shown, error, text)
    if state is not None and state[:2] in _PASSING:
        return RetryableError(f"{shown}: {text}", hint="try again; if it stays so, see what the server is doing")
    hint = next(
        (hint for code, hint in _HINTS.items() if state and state.startswith(code)), "nothing was changed; mend the cause"
    )
    return NonRetryableError(f"{shown}: {text}", hint=hint)


def _not_connected(shown: str, error: psycopg.OperationalError, text: str) -> RunError:
    """libpq gives no code for a connection that failed, but tells whether a password was asked for."""
    connection = error.pgconn
    if connection is not None and (connection.needs_password or connection.used_password):
        return NonRetryableError(f"{shown}: {text}", hint="see that user, password and database in `url` are right")
    return RetryableError(
        f"{shown}: {text}", hint="see that the server runs, and that host, port, user and database in `url` are right"
    )


def _text(error: psycopg.Error) -> str:
    """The server's message in one line, with the place it names (`COPY t, line 7, column c`) but not the value found there."""
    primary = error.diag.message_primary or " ".join(str(error).split())
    place = (error.diag.context or "").partition("\n")[0].partition(": ")[0]
    return f"{primary} ({place})" if place.startswith("COPY") else primary
