"""What MySQL or MariaDB refused, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import NonRetryableError, RetryableError, RunError

if TYPE_CHECKING:
    import pymysql

_SERVER = "see that the server runs, and listens at this host and port"
_AGAIN = "try again; if it stays so, see what the server is doing"
_WHO = "see that user and password are right, that the user may come from this host, and whether the server wants TLS"
_ROWS = "mend the rows in a step, or let the contract hold them back"

#: By the number of the error: what to do, and whether it passes.
_KNOWN: dict[int, tuple[str, bool]] = {
    1045: (_WHO, False),
    1698: (_WHO, False),
    1044: ("grant the user the right to this database", False), 1142: ("grant the user the right, or connect as one who has it", False),
    1143: ("grant the user the right to this column", False), 1227: ("grant the user the right, or connect as one who has it", False),
    1049: ("see that the database is spelt right, or create it", False),
    1146: ("see that the table is named as it is there, with its database", False),
    1060: ("name one of them with AS", False),
    1054: ("see that the column is named as it is there", False), 1064: ("see that the query runs in the server's own client", False),
    3159: ("the server wants TLS: `tls: require`", False), 2026: ("turn TLS on at the server, or do not demand it: `tls: prefer`", False),
    1205: (_AGAIN, True), 1213: (_AGAIN, True), 1040: (_AGAIN, True), 1203: (_AGAIN, True), 1226: (_AGAIN, True), 1053: (_AGAIN, True),
    2006: (_AGAIN, True), 2013: (_AGAIN, True), 2055: (_AGAIN, True), 1317: (_AGAIN, True), 1290: (_AGAIN, True), 1836: (_AGAIN, True),
    1021: ("make room on the server's disk", True), 1114: ("make room on the server's disk", True), 1927: (_AGAIN, True),
    1264: (_ROWS, False), 1265: (_ROWS, False), 1366: (_ROWS, False), 1406: (_ROWS, False), 1292: (_ROWS, False), 1048: (_ROWS, False),
    1062: ("mend the rows, or loosen the constraint of the table", False),
    1452: ("mend the rows, or loosen the constraint of the table", False),
    1153: ("raise `max_allowed_packet` of the server: a row is larger than it", False),
}  # fmt: skip

#: Of a connection that does not come about (2003, 2005), which has one number for many reasons.
_REFUSALS: tuple[tuple[str, str, bool], ...] = (
    (
        r"Name or service not known|nodename nor servname|Temporary failure in name",
        "see that `host` is spelt right and known here",
        True,
    ),
    (
        r"Hostname mismatch|doesn't match|IP address mismatch",
        "name the host as its certificate does, or verify no more than `tls: verify-ca`",
        False,
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "give in `ca` the certificate of whoever vouches for the server",
        False,
    ),
    (r"SSL|ssl|certificate", "see that `ca`, `cert` and `key` belong together", False),
    (r"timed out|unreachable|No route", "see that host and port are right, and no firewall is between", True),
)


@contextmanager
def mysql_faults(shown: str) -> Iterator[None]:
    """Turn what PyMySQL raises into our errors."""
    import pymysql

    try:
        yield
    except pymysql.MySQLError as error:
        raise explained(shown, error) from error


def explained(shown: str, error: pymysql.MySQLError) -> RunError:
    number, said = _parts(error)
    if number in (2002, 2003, 2005):
        for pattern, hint, passing in _REFUSALS:
            if re.search(pattern, said):
                return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
        return RetryableError(f"{shown}: {said}", hint=_SERVER)
    hint, passing = _KNOWN.get(number, ("nothing was changed; mend the cause", number == 0))
    return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=_AGAIN if number == 0 else hint)


def _parts(error: pymysql.MySQLError) -> tuple[int, str]:
    """The number and the message. An error without a number is of a connection that broke."""
    arguments = error.args
    if len(arguments) >= 2 and isinstance(arguments[0], int):
        return arguments[0], " ".join(str(arguments[1]).split()) or f"error {arguments[0]}"
    return 0, " ".join(str(error).split()) or "the connection broke"
