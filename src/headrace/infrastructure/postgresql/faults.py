"""What PostgreSQL refused, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.detours import parts_of, system_of
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import psycopg

#: Classes of SQLSTATE that pass: connection lost, out of resources, rolled back by conflict, locked, operator intervened.
_PASSING = ("08", "40", "53", "55", "57")

_HINTS = {
    "42501": "grant the user the right, or connect as one who has it",
    "3F000": "create the schema, or name another one",
    "42P01": "see that the table is named as it is there, with its schema",
    "42703": "see that the column is named as it is there",
    "22": "mend the rows in a step, or let the contract hold them back",
    "23": "mend the rows, or loosen the constraint of the table",
}

#: What libpq and the server say when a connection does not come about (they give no code for it), what to do, and whether it passes.
_REFUSALS: tuple[tuple[str, str, bool], ...] = (
    (r"failed to resolve host|could not translate host name", "see that `host` is spelt right and known here", True),
    (r"Connection refused", "see that the server runs, and listens at this host and port", True),
    (
        r"timeout expired|timed out|No route to host|unreachable",
        "see that host and port are right, and no firewall is between",
        True,
    ),
    (
        r"certificate verify failed|self.signed certificate",
        "give in `ca` the certificate of whoever vouches for the server",
        False,
    ),
    (r"does not match host name", "name the host as its certificate does, or verify no more than `tls: verify-ca`", False),
    (r"does not support SSL", "turn TLS on at the server, or do not demand it: `tls: prefer`", False),
    (
        r"no pg_hba.conf entry .*no encryption",
        "the server may want TLS: `tls: require`; else let pg_hba.conf admit user and host",
        False,
    ),
    (r"no pg_hba.conf entry|pg_hba.conf rejects", "let pg_hba.conf of the server admit this user, host and database", False),
    (
        r"requires a valid client certificate|certificate authentication failed",
        "give our own certificate: `cert` and `key`",
        False,
    ),
    (
        r"sslv3 alert|tlsv1 alert|SSL error|could not load|private key file",
        "see that `ca`, `cert` and `key` belong together",
        False,
    ),
    (r"no password supplied", "give a password, as ${secret:env/NAME}", False),
    (r"password authentication failed|authentication failed", "see that user and password are right", False),
    (r'role "[^"]*" does not exist', "see that the user is spelt right, or create the role", False),
    (r'database "[^"]*" does not exist', "see that the database is spelt right, or create it", False),
    (r"permission denied for database|is not permitted to log in", "grant the user the right to connect", False),
    (
        r"starting up|shutting down|too many (clients|connections)|remaining connection slots",
        "try again when the server has room",
        True,
    ),
)


#: A character that is not valid in its encoding, and an escape in JSON that cannot be stored.
UNSTORABLE = {"22021", "22P05"}


def with_nul(column: str, rows: int) -> NonRetryableError:
    """The fault of a column with a character that cannot be stored, which the server's own words do not name."""
    return NonRetryableError(
        f"`{column}` has a NUL character in {rows:,} rows, which PostgreSQL cannot store; nothing was changed",
        hint=f"take it out before: `derive: {{{column}: replace({column}, chr(0), '')}}`",
    )


@contextmanager
def postgres_faults(shown: str) -> Iterator[None]:
    """Turn what psycopg raises into our errors."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise explained(shown, error) from error


def shown_url(url: Secret) -> str:
    """Where an address leads, without user and password; as it is written when its secrets cannot be had."""
    try:
        address = url.reveal()
    except NonRetryableError:
        return str(url)
    found = parts_of(address)
    return f"{system_of(address)}/{found.get('dbname') or found.get('user') or ''}" if found else str(url)


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
    return refused(shown, state, text)


def refused(shown: str, state: str | None, said: str) -> RunError:
    """What a statement came to that the server refused with this SQLSTATE."""
    if state is not None and state[:2] in _PASSING:
        return RetryableError(f"{shown}: {said}", hint="try again; if it stays so, see what the server is doing")
    hint = next(
        (hint for code, hint in _HINTS.items() if state and state.startswith(code)), "nothing was changed; mend the cause"
    )
    return NonRetryableError(f"{shown}: {said}", hint=hint)


def _not_connected(shown: str, error: psycopg.OperationalError, text: str) -> RunError:
    said = _tidied(text)
    for pattern, hint, passing in _REFUSALS:
        if re.search(pattern, said):
            return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
    connection = error.pgconn
    if connection is not None and (connection.needs_password or connection.used_password):
        return NonRetryableError(f"{shown}: {said}", hint="see that user, password and database are right")
    return RetryableError(f"{shown}: {said}", hint="see that the server runs, and that host, port, user and database are right")


def _tidied(text: str) -> str:
    """What was said last, where several addresses of a host were tried, without what the driver says around it."""
    last = text.rpartition("Multiple connection attempts failed. All failures were:")[2].rpartition(" - ")[2] or text
    return re.sub(r"^connection failed: |^connection is bad: ", "", last).strip()


def _text(error: psycopg.Error) -> str:
    """The server's message in one line, with the place it names (`COPY t, line 7, column c`) but not the value found there."""
    primary = error.diag.message_primary or " ".join(str(error).split())
    place = (error.diag.context or "").partition("\n")[0].partition(": ")[0]
    return f"{primary} ({place})" if place.startswith("COPY") else primary
