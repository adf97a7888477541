"""A state is the same rows wherever they lie: what becomes of a list in Python becomes of it, while it grows and shrinks past each limit."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, String
from headrace.business.streams.slots import SLOT, SLOT_TYPE, SLOTS
from headrace.infrastructure import duckdb_connection
from headrace.infrastructure.engines.duckdb import stream_places
from headrace.infrastructure.engines.duckdb.stream_statements import Statements
from headrace.infrastructure.engines.duckdb.stream_table import Gone, Kept, StateTable

SCHEMA = Schema((Column("n", Integer(64)), Column("text", String()), Column(SLOT, SLOT_TYPE)))
Row = tuple[int, str, int]
ROWS = st.lists(st.tuples(st.integers(-5, 5), st.sampled_from(["", "a", "ä\U0001f600"]), st.integers(0, SLOTS - 1)), max_size=5)


class Lying(RuleBasedStateMachine):
    """The table, and the list that says what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.con = duckdb_connection.connect()
        self.statements = Statements(self.con)
        self.table = StateTable(self.statements, "some", SCHEMA)
        self.smallest = Kept(self.table, lambda there: f"SELECT min(n) AS n, count(*) AS rows FROM {there}")
        self.gone = Gone(self.table, lambda there: f'SELECT "#:kept" FROM {there} WHERE n < CAST($horizon AS BIGINT)')
        self.model: list[Row] = []

    def teardown(self) -> None:
        self.con.close()

    @rule(rows=ROWS)
    def add(self, rows: list[Row]) -> None:
        self.table.add(_table(rows))
        self.model += rows

    @rule(bound=st.integers(-6, 6))
    def delete(self, bound: int) -> None:
        self.table.settle()
        self.gone.run(horizon=bound)
        self.model = [row for row in self.model if row[0] >= bound]

    @rule()
    def save_all(self) -> None:
        assert sorted(_rows(self.table.unsaved(whole=True))) == sorted(self.model)

    @rule()
    def save(self) -> None:
        self.table.unsaved(whole=False)

    @rule()
    def begin_again(self) -> None:
        self.table.settle()
        self.table.restore([self.table.all()], [0] * SLOTS)

    @invariant()
    def the_same(self) -> None:
        self.table.settle()
        assert _rows(self.table.all()) == self.model
        assert self.table.count() == len(self.model)
        assert self.table.measure()["rows"] == len(self.model)
        least = min((row[0] for row in self.model), default=None)
        assert self.smallest.rows().to_pylist() == [{"n": least, "rows": len(self.model)}]
        assert self.table.place is self.table.many or len(self.model) <= stream_places.FEW


Lying.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestLying = Lying.TestCase


@pytest.fixture
def statements() -> Iterator[Statements]:
    con = duckdb_connection.connect()
    yield Statements(con)
    con.close()


def test_many_rows_go_where_many_lie_and_come_back(statements: Statements) -> None:
    table = StateTable(statements, "some", SCHEMA)
    few = table.place
    table.add(_table([(n, "", n) for n in range(stream_places.FEW)]))
    table.settle()
    assert table.place is few
    table.add(_table([(99, "", 9)]))
    table.settle()
    assert table.place is table.many
    gone = Gone(table, lambda there: f'SELECT "#:kept" FROM {there} WHERE n > 1')
    gone.run()
    table.unsaved(whole=True)
    assert table.place is few
    assert _rows(table.all()) == [(0, "", 0), (1, "", 1)]
    assert table.many.count() == 0


def test_wide_rows_are_many_at_once(statements: Statements) -> None:
    table = StateTable(statements, "some", SCHEMA)
    table.add(_table([(1, "x" * stream_places.SMALL, 1)]))
    table.settle()
    assert table.place is table.many
    table.unsaved(whole=True)
    assert table.place is table.many


def _table(rows: list[Row]) -> pa.Table:
    types = [pa.int64(), pa.string(), pa.int8()]
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table([pa.array(list(c), t) for c, t in zip(columns, types, strict=True)], names=list(SCHEMA.names))


def _rows(table: pa.Table) -> list[Row]:
    return [tuple(row.values()) for row in table.to_pylist()]  # type: ignore[misc]
