"""Which database answers, and so how it is asked and what its driver has to be told. Not how each of them is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.odbc.columns import Dialect
from headrace.infrastructure.connectors.odbc.drivers import Answering
from headrace.infrastructure.connectors.odbc.in_mysql import MySQL
from headrace.infrastructure.connectors.odbc.in_others import AnyOther
from headrace.infrastructure.connectors.odbc.in_postgresql import PostgreSQL

_DIALECTS: Mapping[str, type[Dialect]] = {"postgresql": PostgreSQL, "mariadb": MySQL, "mysql": MySQL}

LONGEST = 1 << 16


#: What travels as text and is none has room in so many bytes.
_LEAST = 160
#: The driver of MariaDB cuts the last byte off a value that is one byte longer than its room, and does not say so.
_SPARE = 4


def buffer_of(longest: int) -> int:
    """The bytes that a value has room in on its way, when it may have so many."""
    return max(longest, _LEAST) + _SPARE


def dialect_of(who: Answering, longest: int = LONGEST) -> Dialect:
    """How a database is asked whose longest value of open length has so many bytes."""
    if who.database.lower() == "sqlite":
        said = "drivers of SQLite give columns types that their values need not have"
        raise NonRetryableError(said, hint="read the file with the source `sqlite`")
    kind = _DIALECTS.get(who.database.lower(), AnyOther)
    return kind(lambda name: _quoted(name, who.quote), longest)


def told(driver: str, longest: int) -> Mapping[str, str | int]:
    """What a driver has to be told to describe columns as they are, and to keep no whole result in memory."""
    if _is_psqlodbc(driver):
        return {
            "UseDeclareFetch": 1, "BoolsAsChar": 0, "ByteaAsLongVarBinary": 1, "NumericAs": 12, "LFConversion": 0,
            "MaxVarcharSize": buffer_of(longest), "MaxLongVarcharSize": buffer_of(longest),
        }  # fmt: skip
    if driver.lower().removeprefix("lib").startswith("maodbc"):
        return {"CHARSET": "utf8mb4", "FORWARDONLY": 1, "NO_CACHE": 1}
    return {}


def told_of_rows(driver: str, rows: int) -> Mapping[str, str | int]:
    """What a driver has to be told to bring so many rows at a time."""
    return {"Fetch": rows} if _is_psqlodbc(driver) else {}


def _is_psqlodbc(driver: str) -> bool:
    return driver.lower().startswith("psqlodbc")


def _quoted(name: str, quote: str) -> str:
    if quote:
        return f"{quote}{name.replace(quote, quote * 2)}{quote}"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    raise NonRetryableError(
        f"`{name}` cannot be named: this database has no quotes for names", hint="select it under a plain name with `query`"
    )
