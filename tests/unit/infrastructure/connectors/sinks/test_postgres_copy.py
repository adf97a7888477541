"""The pipe between DuckDB and COPY: whoever leaves first, the other one does not wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pytest

from headrace.infrastructure.postgresql.copying import copy_rows


class Slow:
    """A connection whose `COPY` begins when the reader is gone."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con, self.may_begin = con, threading.Event()

    def execute(self, statement: str) -> object:
        if statement.startswith("COPY"):
            self.may_begin.wait(60)
        return self.con.execute(statement)


class Cut:
    """A cursor whose connection is cut as soon as it is to copy."""

    def __init__(self, slow: Slow) -> None:
        self.slow = slow

    @contextmanager
    def copy(self, _statement: bytes) -> Iterator[None]:
        threading.Timer(0.1, self.slow.may_begin.set).start()
        raise ConnectionError("cut")
        yield


@pytest.mark.parametrize("rows", [1, 1_000_000])
def test_a_connection_that_is_cut_before_the_first_row_was_printed_holds_nobody_up(rows: int) -> None:
    with duckdb.connect() as con:
        slow: Any = Slow(con)
        cursor: Any = Cut(slow)
        with pytest.raises(ConnectionError):
            copy_rows(slow, f"SELECT range AS x FROM range({rows})", ["x"], cursor, "t")
        assert con.execute("SELECT 1").fetchone() == (1,), "the connection is free again"
