"""The keys by which a step of a stream knows copies again, in a table of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headrace.business.processing.relation import Dataset
from headrace.business.processing.steps.event_windows import TIME
from headrace.business.streams.copies import NUMBER, KeptCopies
from headrace.infrastructure.engines.duckdb.stream_keeping import NEVER, Waiting, least, timely
from headrace.infrastructure.engines.duckdb.stream_numbers import numbers, typed
from headrace.infrastructure.engines.duckdb.stream_seeking import Seeker
from headrace.infrastructure.engines.duckdb.stream_statements import Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import Gone, StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class CopyKeeper:
    """See `Keeper`."""

    def __init__(self, statements: Statements, step: str, kept: KeptCopies) -> None:
        self.statements, self.kept = statements, kept
        self.table = StateTable(statements, step, kept.kept_schema, kept.keys)
        self.tables: Mapping[str, StateTable] = {"": self.table}
        self._came = statements.inlet(f"came {step}", kept.came_schema)
        came = Dataset(kept.came_schema, "came")
        sought = numbers(typed(self._came, kept.came_schema), kept.keys)
        fresh, gone, coming = kept.fresh(came, self.table.rows), kept.gone(self.table.rows), {"came": self._came.sql}
        self._fresh = Seeker(statements, self.table, sought, lambda there: query({}, fresh, {**coming, "kept": there}))
        self._made = statements.prepare(query({}, kept.made(came), coming))
        self._let_go = Gone(self.table, lambda there: query({}, gone, {"kept": there}))
        self._waiting = Waiting()
        self._opens: int | None = None
        self.horizon = NEVER

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:  # noqa: ARG002 - there is one
        self._waiting.add(self._numbered(taken))
        self._opens = least(timely(taken), TIME, self._opens, self._wait)
        return self.settle() if self._waiting.enough(self.table.about) else ()

    def settle(self) -> Sequence[pa.Table]:
        if not self._waiting.rows:
            return ()
        self.table.settle()
        came = self._waiting.taken()
        self._came.hold(came)
        fresh, made = self._fresh.rows(len(came)), self.statements.rows(self._made)
        self._came.hold(None)
        self.table.add(made)
        return (fresh,)

    def _numbered(self, taken: pa.Table) -> pa.Table:
        """The rows behind those that wait."""
        import pyarrow.compute as pc

        place = taken.schema.get_field_index(NUMBER)
        return taken.set_column(place, NUMBER, pc.add(taken[NUMBER], self._waiting.rows))

    @property
    def _wait(self) -> int:
        """How long after its last row a key is remembered. Keys are forgotten many at a time: it does not matter when."""
        return 2 * (self.kept.copies.within + self.kept.behind)

    def due(self, horizon: int) -> bool:
        return self._opens is not None and horizon >= self._opens

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        if self.due(horizon):
            self.table.settle()
            self._let_go.run(horizon=horizon)
            self._opens = horizon + self._wait // 2
            self.horizon = horizon
        return ()

    def changes(self) -> Sequence[pa.Table]:
        return ()

    def restored(self, horizon: int) -> None:
        self._waiting.clear()
        self._let_go.run(horizon=horizon)
        self.horizon, self._opens = horizon, horizon + self._wait // 2

    def now(self) -> pa.Table:
        return self.table.all()
