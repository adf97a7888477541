"""The rows of a step that looks back in the order of time, in a table of DuckDB, until no row before them can come, and no later one sees
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.event_windows import TIME
from headrace.business.streams.groups import HORIZON_AT
from headrace.business.streams.sequences import KeptSequences
from headrace.business.streams.slots import SLOT
from headrace.infrastructure.engines.duckdb.stream_keeping import NEVER, Growth, least, timely
from headrace.infrastructure.engines.duckdb.stream_statements import Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import Gone, Kept, StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class SequenceKeeper:
    """See `Keeper`."""

    def __init__(self, statements: Statements, step: str, kept: KeptSequences) -> None:
        self.statements, self.kept = statements, kept
        self.table = StateTable(statements, step, kept.kept_schema)
        self.tables: Mapping[str, StateTable] = {"": self.table}
        rows = self.table.rows

        def made(relation: Relation) -> Callable[[str], str]:
            return lambda there: query({}, relation, {"kept": there})

        self._closed, self._next = Kept(self.table, made(kept.closed(rows))), Kept(self.table, made(kept.opens(rows)))
        self._let_go = Gone(self.table, made(kept.gone(rows)))
        self._opens: int | None = None
        self._growth = Growth()
        self.horizon = NEVER

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:  # noqa: ARG002 - there is one
        came = timely(taken)
        self.table.add(came)
        self._growth.come(len(came))
        self._opens = least(came, TIME, self._opens, self.kept.behind + 1)
        return ()

    def settle(self) -> Sequence[pa.Table]:
        return ()

    def due(self, horizon: int) -> bool:
        return self._opens is not None and horizon >= self._opens

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        if not self.due(horizon):
            return ()
        self.table.settle()
        rows = self._closed.rows(horizon=horizon, before=self.horizon)
        if self._growth.worth_a_look:
            self._forget(horizon)
        self._look(horizon)
        return (rows,)

    def changes(self) -> Sequence[pa.Table]:
        return ()

    def restored(self, horizon: int) -> None:
        self._forget(horizon)
        self._look(horizon)

    def now(self) -> pa.Table:
        return self.table.all().drop_columns([TIME, SLOT])

    def _forget(self, horizon: int) -> None:
        self._let_go.run(horizon=horizon)
        self._growth.left(self.table.count())

    def _look(self, horizon: int) -> None:
        """See when the next row can be given out."""
        self.horizon = horizon
        self._opens = self._next.rows(before=horizon)[HORIZON_AT][0].as_py()
