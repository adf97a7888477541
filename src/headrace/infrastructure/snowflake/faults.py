"""Turns what Snowflake's driver raises into our errors: what may pass is to be tried again, all else says what has to be mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import NonRetryableError, RetryableError, RunError

#: By the number of Snowflake's error: what it means for us and what to do.
_KNOWN: dict[int, tuple[type[RunError], str, str]] = {
    390100: (NonRetryableError, "the user or the password is wrong", "see `user` and `password`, or the private key, of the connection"),
    390144: (NonRetryableError, "the key is not that of the user", "see `private_key`, and the public key that ALTER USER gave the user"),
    390189: (NonRetryableError, "the role is not granted to the user", "see `role`, or let somebody who may say GRANT ROLE"),
    390201: (NonRetryableError, "the warehouse, database or schema is not there, or not granted to the role", "see the connection"),
    90105: (NonRetryableError, "the database is not there, or the role may not use it", "see `database` and `role` of the connection"),
    90106: (NonRetryableError, "the schema is not there, or the role may not use it", "see `schema` and `role` of the connection"),
    2043: (NonRetryableError, "", "name something that is there, and that the role may use"),
    2003: (NonRetryableError, "", "see that it is there, and that the role of the connection may use it"),
    3001: (NonRetryableError, "", "let somebody who may grant the role what is missing"),
    606: (NonRetryableError, "no warehouse is active", "name a `warehouse` in the connection"),
    625: (RetryableError, "another statement held a lock for too long", "run again when it is done"),
    630: (NonRetryableError, "a statement took longer than it may", "raise `statement_timeout` of [engines.snowflake]"),
    2002: (RetryableError, "", "somebody else has just made it: run again"),
}  # fmt: skip
#: Classes of SQLSTATE: the connection, a transaction that was rolled back, resources, and what the system has to do with.
_MAY_PASS = ("08", "40", "53", "57", "58")
_NOT_REACHED = (250001, 250003, 251001, 290500, 580500)


@contextmanager
def snowflake_faults(shown: str) -> Iterator[None]:
    """Raises what the driver raises as errors of ours, which say where: `shown`."""
    from snowflake.connector import errors

    try:
        yield
    except errors.Error as error:
        raise explained(shown, error) from error


def explained(shown: str, error: Exception) -> RunError:
    number, said = number_of(error), _sentence(error)
    if number in _KNOWN:
        kind, meaning, hint = _KNOWN[number]
        return kind(f"{shown}: {meaning or said}", hint=hint)
    state = str(getattr(error, "sqlstate", None) or "")
    if number in _NOT_REACHED or state.startswith(_MAY_PASS) or _is_of_the_network(error):
        hint = "see `account`, or `host` and `port`, of the connection; if they are right, try again"
        return RetryableError(f"{shown}: cannot be reached: {said}", hint=hint)
    return NonRetryableError(f"{shown}: {said}", hint="see what Snowflake says of the statement and the data")


def number_of(error: Exception) -> int:
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _is_of_the_network(error: Exception) -> bool:
    from snowflake.connector import errors

    return isinstance(error, errors.OperationalError | errors.InternalServerError) and not isinstance(
        error, errors.DatabaseError
    )


def _sentence(error: Exception) -> str:
    """What was said, on one line, without the number that the driver puts before it."""
    said = " ".join(str(getattr(error, "msg", None) or error).split())
    head, colon, rest = said.partition(": ")
    return rest if colon and head.replace("(", "").replace(")", "").replace(" ", "").isalnum() and head[:3].isdigit() else said
