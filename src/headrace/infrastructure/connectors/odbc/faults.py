"""What a driver of ODBC refused, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from headrace.business.model.schema import suggest
from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.odbc.drivers import Diagnosis, OdbcError, installed_drivers

#: Takes secrets out of what is said.
Veil = Callable[[str], str]

_AGAIN = "try again; if it stays so, see what the server is doing"
_SERVER = "see that the server runs, and listens at this host and port"
_RIGHT = "grant the user the right, or connect as one who has it"
_COLUMN = "see that the column is named as it is there"
_WHO = "see that user and password are right, and that the user may come from this host"
_DATABASE = "see that the database is spelt right, or create it"
_ROWS = "mend the rows in a step, or select them otherwise with `query`"

NO_TABLE = ("42S02", "42P01")

#: By SQLSTATE, the longest first: what to do, and whether it passes. Those that are not of the standard are PostgreSQL's own.
_STATES: dict[str, tuple[str, bool]] = {
    "42S22": (_COLUMN, False), "42703": (_COLUMN, False), "42501": (_RIGHT, False), "3F000": ("name another schema, or create it", False),
    "28000": (_WHO, False), "28P01": (_WHO, False), "3D000": (_DATABASE, False), "42S21": ("name one of them with AS", False),
    **dict.fromkeys(NO_TABLE, ("see that the table is named as it is there, with its schema", False)),
    "IM002": ("name a `driver`, or a `dsn` that odbc.ini of this machine has", False),
    "HY000": ("nothing was changed; mend the cause", False), "22": (_ROWS, False),
    "08": (_AGAIN, True), "40": (_AGAIN, True), "53": (_AGAIN, True), "55": (_AGAIN, True), "57": (_AGAIN, True),
    "HYT": (_AGAIN, True), "42": ("see that the query runs in the server's own client", False),
    "37": ("see that the query runs in the server's own client", False),
}  # fmt: skip

#: What drivers and servers say where the state does not tell it: of connections, which have one state for many reasons, and of those
#: databases that have few states.
_SAID: tuple[tuple[str, str, bool], ...] = (
    (
        r"could not translate host name|failed to resolve host|Unknown server host|Name or service not known",
        "see that the host is spelt right and known here",
        True,
    ),
    (r"Connection refused|Can't connect to (local |MySQL |MariaDB )?server", _SERVER, True),
    (
        r"timeout expired|timed out|No route to host|unreachable",
        "see that host and port are right, and no firewall is between",
        True,
    ),
    (r"password authentication failed|no password supplied|Access denied for user .*using password|Login failed", _WHO, False),
    (r'role "[^"]*" does not exist', "see that the user is spelt right, or create the role", False),
    (
        r'database "[^"]*" does not exist|Unknown database|Cannot open database',
        _DATABASE,
        False,
    ),
    (r"command denied|permission (was )?denied|Access denied for user .* to database", _RIGHT, False),
    (r"Unknown column|Invalid column name", _COLUMN, False),
    (r"certificate", "see what the settings of the driver say of certificates", False),
    (
        r"gone away|Lost connection|server closed the connection|terminating connection|starting up|shutting down",
        _AGAIN,
        True,
    ),
    (
        r"Communication link failure|[Tt]oo many connections|Lock wait timeout|Deadlock|could not receive data",
        _AGAIN,
        True,
    ),
    (
        r"[Oo]ut of memory|memory allocation|could not allocate|too large to be allocated",
        "read fewer columns, or allow values no longer than they are: `longest_value`",
        False,
    ),
)

_NO_DRIVER = re.compile(r"Can't open lib '(?P<driver>[^']*)'|Data source name not found")
_TOO_LONG = re.compile(r"too large to be written into the allocated buffer")
_NOT_UTF8 = re.compile(r"invalid UTF-8")
_ONE = re.compile(
    r"State: (?P<state>\w{5}), Native error: (?P<number>-?\d+), Message: (?P<said>.*?)(?=\s*State: \w{5}, |\Z)", re.DOTALL
)


@contextmanager
def odbc_faults(shown: str, veil: Veil) -> Iterator[None]:
    """Turn what is raised by ODBC and by whoever reads it into our errors."""
    try:
        yield
    except OdbcError as error:
        raise explained(shown, error.diagnoses, veil) from None  # the cause could hold what the veil takes out


def reader_failed(shown: str, said: str, veil: Veil, longest: int) -> RunError:
    """What the reader of Arrow says when something failed."""
    if _TOO_LONG.search(said):
        return too_long(shown, longest)
    if _NOT_UTF8.search(said):
        hint = "let the driver speak UTF-8, by its settings; where it cut a text within a character, allow more with `longest_value`"
        return NonRetryableError(f"{shown}: the driver gave a text that is not UTF-8", hint=hint)
    found = [Diagnosis(m["state"], int(m["number"]), m["said"]) for m in _ONE.finditer(said)]
    return explained(shown, found or [Diagnosis("HY000", 0, said)], veil)


def too_long(shown: str, longest: int) -> NonRetryableError:
    return NonRetryableError(
        f"{shown}: a value is longer than the {longest:,} bytes that one may have; nothing was cut",
        hint="allow more with `longest_value`; every row that is fetched takes room for it, so no more than is needed",
    )


def explained(shown: str, diagnoses: Sequence[Diagnosis], veil: Veil) -> RunError:
    """The error that diagnoses of one failure come to."""
    first = diagnoses[0]
    said = veil(_tidied(first.said))
    if missing := _NO_DRIVER.search(first.said):
        return _without_driver(shown, said, missing["driver"])
    hint, passing = _meant(first)
    return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)


def _meant(first: Diagnosis) -> tuple[str, bool]:
    """What to do, and whether it passes. A state that says no more than that there is no connection, or nothing, gives way to words."""
    vague = first.state.startswith(("08", "HY", "42000", "S1", "01"))
    if vague:
        for pattern, hint, passing in _SAID:
            if re.search(pattern, first.said):
                return hint, passing
    known = next((state for state in sorted(_STATES, key=len, reverse=True) if first.state.startswith(state)), "HY000")
    return _STATES[known]


def _without_driver(shown: str, said: str, driver: str | None) -> NonRetryableError:
    there = installed_drivers()
    if driver is None or driver in there:
        hint = _STATES["IM002"][0] if driver is None else "its library cannot be loaded: install the driver again"
    elif there:
        near = suggest(driver, there)
        hint = (f"did you mean `{near}`? " if near else "install it, or name one that is here: ") + ", ".join(there)
    else:
        hint = "no driver is registered here: install that of the database (Debian: odbc-postgresql, odbc-mariadb, tdsodbc)"
    return NonRetryableError(f"{shown}: {said}", hint=hint)


def _tidied(said: str) -> str:
    """In one line, without the names that driver and manager put before what they say."""
    line = " ".join(said.split())
    bare = re.sub(r"^(\[[^\]]*\]\s*)+|^(ERROR|FATAL):\s*", "", line)
    return (
        bare.removesuffix("; No query has been executed with that handle")
        .removesuffix("; The connection has been lost")
        .rstrip("; ")
    )
