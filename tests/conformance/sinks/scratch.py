"""DuckDB as the tool with which tests make and look at rows; never what is tested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose temporary tables and views are its own. All are to one database: to make another takes longer than most tests."""
    with _database().cursor() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()
