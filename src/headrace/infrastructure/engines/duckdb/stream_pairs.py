"""The rows of two sides that a step of a stream joins, in two tables of DuckDB, as long as partners may come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.projection import as_they_are, project
from headrace.business.streams.pairs import SIDES, UNTIL, KeptPairs
from headrace.business.streams.slots import SLOT
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_keeping import NEVER, Growth, Waiting, least, timely
from headrace.infrastructure.engines.duckdb.stream_numbers import numbers, typed
from headrace.infrastructure.engines.duckdb.stream_seeking import Seeker
from headrace.infrastructure.engines.duckdb.stream_statements import Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import Gone, Kept, StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class PairKeeper:
    """See `Keeper`."""

    def __init__(self, statements: Statements, step: str, kept: KeptPairs) -> None:
        self.statements, self.kept = statements, kept
        self.tables: Mapping[str, StateTable] = {
            side: StateTable(statements, f"{step} {side}", kept.kept_schema(side), kept.keys[side]) for side in SIDES
        }
        self._came = {side: statements.inlet(f"came {step} {side}", kept.kept_schema(side)) for side in SIDES}
        self._pairs = {side: self._seeker(kept.pairs.found, side) for side in SIDES}
        self._let_go = {side: Gone(table, self._about(kept.gone(table.rows, side))) for side, table in self.tables.items()}
        first = 'SELECT min("{0}") AS "{0}", count(*) AS n FROM {1}'
        self._first = {side: Kept(table, partial(first.format, UNTIL)) for side, table in self.tables.items()}
        self._waiting = {side: Waiting() for side in SIDES}
        self._opens: int | None = None
        self._growth = Growth()
        self.horizon = NEVER
        if kept.pairs.alone is not None:
            self._prepare_alone(step, kept.pairs.alone)

    def _seeker(self, relation: Relation, coming: str) -> Seeker:
        """A statement on rows that come on one side, and those that are kept of the other."""
        came = self._came[coming]
        sought = numbers(typed(came, self.kept.kept_schema(coming)), self.kept.keys[coming])
        datasets = {side: self.kept.dataset(side).name for side in SIDES}
        tables = {datasets[coming]: self._read(coming, came.sql)}
        other = _other(coming)

        def made(there: str) -> str:
            return query({}, relation, {**tables, datasets[other]: self._read(other, there)})

        return Seeker(self.statements, self.tables[other], sought, made)

    def _read(self, side: str, rows: str) -> str:
        return f"(SELECT {_listed(self.kept.rows(side))} FROM {rows})"

    def _about(self, relation: Relation) -> Callable[[str], str]:
        return lambda kept: query({}, relation, {"kept": kept})

    def _prepare_alone(self, step: str, alone: Relation) -> None:
        """Rows of the left that are over: those without a partner, and what the join makes of them beside nothing."""
        left, right = self.kept.dataset("left"), self.kept.dataset("right")
        schema, table = self.kept.kept_schema("left"), self.tables["left"]
        self._over = Kept(table, self._about(project(self.kept.over(table.rows, "left"), as_they_are(schema))))
        self._past = self.statements.inlet(f"over {step}", schema)
        past, columns = typed(self._past, schema), _listed(self.kept.rows("left"))
        sought = numbers(past, self.kept.keys["left"])

        def made(there: str) -> str:
            tables = {left.name: self._read("left", past), right.name: self._read("right", there)}
            return f"SELECT {columns} FROM ({query({}, alone, tables)})"

        self._lonely = self.statements.inlet(f"alone {step}", self.kept.rows("left"))
        self._alone = Seeker(self.statements, self.tables["right"], sought, made)
        nobody = f"(SELECT {_listed(self.kept.rows('right'))} FROM {self._came['right'].sql})"
        self._beside_nothing = self.statements.prepare(
            query({}, self.kept.pairs.whole, {left.name: self._lonely.sql, right.name: nobody})
        )

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:
        came = timely(taken)
        self._waiting[side].add(came)
        if self.kept.pairs.reach is not None:
            self._opens = least(came, UNTIL, self._opens, self.kept.behind + 1)
            self._growth.come(len(came))
        return self.settle() if self._waiting[side].enough(self.tables[_other(side)].about) else ()

    def settle(self) -> Sequence[pa.Table]:
        return tuple(self._paired(side) for side in SIDES if self._waiting[side].rows)

    def _paired(self, side: str) -> pa.Table:
        """The pairs of the rows of a side that wait, with all that are kept of the other; from now on they are kept, too."""
        came = self._waiting[side].taken()
        self.tables[_other(side)].settle()
        self._came[side].hold(came)
        pairs = self._pairs[side].rows(len(came))
        self._came[side].hold(None)
        self.tables[side].add(came)
        return pairs

    @property
    def _worth_looking(self) -> bool:
        """Whether rows that are over are looked for. Where that gives out nothing they go many at a time."""
        return self.kept.pairs.alone is not None or self._growth.worth_a_look

    def due(self, horizon: int) -> bool:
        return self._opens is not None and horizon >= self._opens and self._worth_looking

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        if not self.due(horizon):
            return ()
        given = []
        for table in self.tables.values():
            table.settle()
        if self.kept.pairs.alone is not None:
            over = self._over.rows(horizon=horizon)
            self._past.hold(over)
            self._lonely.hold(self._alone.rows(len(over)))
            self._past.hold(None)
            given.append(self.statements.rows(self._beside_nothing))
            self._lonely.hold(None)
        for gone in self._let_go.values():
            gone.run(horizon=horizon)
        self._look(horizon)
        return given

    def changes(self) -> Sequence[pa.Table]:
        return ()

    def restored(self, horizon: int) -> None:
        for waiting in self._waiting.values():
            waiting.clear()
        if self.kept.pairs.reach is not None:
            for gone in self._let_go.values():
                gone.run(horizon=horizon)
            self._look(horizon)

    def now(self) -> pa.Table:
        """The rows of the left; those of the right are as many as the measures say."""
        return self.tables["left"].all().drop_columns([UNTIL, SLOT])

    def _look(self, horizon: int) -> None:
        """See when something may be over next."""
        self.horizon, self._opens = horizon, None
        found = [first.rows().to_pylist()[0] for first in self._first.values()]
        self._growth.left(sum(first["n"] for first in found))
        if known := [first[UNTIL] for first in found if first[UNTIL] is not None]:
            self._opens = max(min(known) + self.kept.behind + 1, horizon + 1)


def _other(side: str) -> str:
    return next(other for other in SIDES if other != side)


def _listed(schema: Schema) -> str:
    return ", ".join(identifier(c.name) for c in schema) or "1"
