"""The rows of two sides that a step of a stream joins, in two tables of DuckDB, as long as partners may come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.event_windows import TIME
from headrace.business.streams.pairs import SIDES, KeptPairs
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_keeping import NEVER, least, timely
from headrace.infrastructure.engines.duckdb.stream_statements import Prepared, Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class PairKeeper:
    """See `Keeper`."""

    def __init__(self, statements: Statements, step: str, kept: KeptPairs) -> None:
        self.statements, self.kept = statements, kept
        self.tables: Mapping[str, StateTable] = {
            side: StateTable(statements, f"{step} {side}", kept.kept_schema(side)) for side in SIDES
        }
        self._came = {side: statements.inlet(f"came {step} {side}", kept.kept_schema(side)) for side in SIDES}
        self._pairs = {side: self._prepared(kept.pairs.found, side) for side in SIDES}
        self._let_go = {side: table.deletion(self._gone(side)) for side, table in self.tables.items()}
        first = 'SELECT min("{0}") AS "{0}" FROM {1}'
        self._first = {s: statements.prepare(first.format(TIME, table.table)) for s, table in self.tables.items()}
        self._opens: int | None = None
        self.horizon = NEVER
        if kept.pairs.alone is not None:
            self._prepare_alone(step, kept.pairs.alone)

    def _prepared(self, relation: Relation, coming: str) -> Prepared:
        """A statement on rows that come on one side, and those that are kept of the other."""
        return self.statements.prepare(query({}, relation, {self.kept.dataset(s).name: self._read(s, coming) for s in SIDES}))

    def _read(self, side: str, coming: str) -> str:
        table = self._came[side].sql if side == coming else self.tables[side].table
        return f"(SELECT {_listed(self.kept.rows(side))} FROM {table})"

    def _gone(self, side: str) -> str:
        table = self.tables[side]
        return query({}, self.kept.gone(table.rows, side), {"kept": table.sql})

    def _prepare_alone(self, step: str, alone: Relation) -> None:
        """Rows of the left that are over: those without a partner, and what the join makes of them beside nothing."""
        left, right = self.kept.dataset("left"), self.kept.dataset("right")
        over = query({}, self.kept.over(self.tables["left"].rows, "left"), {"kept": self.tables["left"].sql})
        columns = _listed(self.kept.rows("left"))
        tables = {left.name: f"(SELECT {columns} FROM ({over}))", right.name: self._read("right", "")}
        found = query({}, alone, tables)
        self._lonely = self.statements.inlet(f"alone {step}", self.kept.rows("left"))
        self._alone = self.statements.prepare(f"SELECT {columns} FROM ({found})")
        nobody = f"(SELECT {_listed(self.kept.rows('right'))} FROM {self._came['right'].sql})"
        self._beside_nothing = self.statements.prepare(
            query({}, self.kept.pairs.whole, {left.name: self._lonely.sql, right.name: nobody})
        )

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:
        came = timely(taken)
        other = next(s for s in SIDES if s != side)
        self.tables[other].settle()
        self._came[side].hold(came)
        pairs = self.statements.rows(self._pairs[side])
        self._came[side].hold(None)
        self.tables[side].add(came)
        self._opens = least(came, TIME, self._opens, self._wait)
        return (pairs,)

    @property
    def _wait(self) -> int:
        """How long after its time a row may be over. Where that gives out nothing, rows go many at a time: it does not matter when."""
        wait = self.kept.pairs.within + self.kept.behind
        return wait + 1 if self.kept.pairs.alone is not None else 2 * wait

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        if self._opens is None or horizon < self._opens:
            return ()
        given = []
        for table in self.tables.values():
            table.settle()
        if self.kept.pairs.alone is not None:
            self._lonely.hold(self.statements.rows(self._alone, horizon=horizon))
            given.append(self.statements.rows(self._beside_nothing))
            self._lonely.hold(None)
        for statement in self._let_go.values():
            self.statements.run(statement, horizon=horizon)
        self._look(horizon)
        return given

    def changes(self) -> Sequence[pa.Table]:
        return ()

    def restored(self, horizon: int) -> None:
        for statement in self._let_go.values():
            self.statements.run(statement, horizon=horizon)
        self._look(horizon)

    def now(self) -> pa.Table:
        """The rows of the left; those of the right are as many as the measures say."""
        return self.tables["left"].all().drop_columns([TIME])

    def _look(self, horizon: int) -> None:
        """See when something may be over next."""
        self.horizon, self._opens = horizon, None
        firsts = [self.statements.rows(statement)[TIME][0].as_py() for statement in self._first.values()]
        if known := [first for first in firsts if first is not None]:
            self._opens = max(min(known) + self._wait, horizon + 1)


def _listed(schema: Schema) -> str:
    return ", ".join(identifier(c.name) for c in schema) or "1"
