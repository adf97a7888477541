"""The groups of a step in a stream: their parts in a table of DuckDB, put together when windows close or when they are given out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from headrace.business.processing.relation import Dataset, Relation
from headrace.business.streams.groups import HORIZON_AT, KeptGroups
from headrace.infrastructure.engines.duckdb.stream_keeping import FOR_GOOD, NEVER, least, timely
from headrace.infrastructure.engines.duckdb.stream_numbers import numbers, typed
from headrace.infrastructure.engines.duckdb.stream_seeking import Seeker
from headrace.infrastructure.engines.duckdb.stream_statements import Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import Gone, Kept, StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class GroupKeeper:
    """See `Keeper`."""

    def __init__(self, statements: Statements, step: str, kept: KeptGroups) -> None:
        self.statements, self.kept = statements, kept
        self.table = StateTable(statements, step, kept.kept_schema, kept.sought if self.emits_changes else ())
        self.tables: Mapping[str, StateTable] = {"": self.table}
        self._touched = statements.inlet(f"touched {step}", kept.kept_schema)
        self._prepare()
        self._changed: list[pa.Table] = []
        self._opens: int | None = None
        self.horizon = NEVER

    def _prepare(self) -> None:
        rows = self.table.rows

        def made(relation: Relation) -> Callable[[str], str]:
            return lambda kept: query({}, relation, {"kept": kept, "touched": self._touched.sql})

        if self.kept.groups.window is not None:
            self._closed, self._next = (
                Kept(self.table, made(self.kept.closed(rows))),
                Kept(self.table, made(self.kept.opens(rows))),
            )
            self._let_go = Gone(self.table, made(self.kept.gone(rows)))
        if self.emits_changes:
            sought = numbers(typed(self._touched, self.kept.kept_schema), self.kept.sought)
            changed = made(self.kept.changed(rows, Dataset(self.kept.kept_schema, "touched")))
            self._changes = Seeker(self.statements, self.table, sought, changed)
        if self.kept.compacts:
            self.table.compact_by(made(self.kept.compacted(rows)))

    @property
    def emits_changes(self) -> bool:
        return self.kept.groups.emit != "close"

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:  # noqa: ARG002 - there is one
        kept = timely(taken)
        if len(kept):
            self.table.add(kept)
            if self.emits_changes:
                self._changed.append(kept)
            if (column := self.kept.first_column) is not None:
                self._opens = least(kept, column, self._opens, self.kept.open_for)
        return ()

    def settle(self) -> Sequence[pa.Table]:
        return ()

    def due(self, horizon: int) -> bool:
        return self._opens is not None and horizon >= self._opens

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        if not self.due(horizon):
            return ()
        rows = [*self.changes()] if self.emits_changes and (self.kept.groups.emit == "change" or self.kept.pause) else []
        if self.kept.groups.emit != "change":
            self.table.settle()
            rows.append(self._closed.rows(horizon=horizon, before=self.horizon))
        self._let_go.run(horizon=horizon)
        self._look(horizon)
        return rows

    def changes(self) -> Sequence[pa.Table]:
        import pyarrow as pa

        if not self._changed:
            return ()
        self.table.settle()
        rows = self._of(pa.concat_tables(self._changed))
        self._changed = []
        return (rows,)

    def restored(self, horizon: int) -> None:
        self._changed, self._opens = [], None
        self.horizon = horizon
        if self.kept.groups.window is not None:
            self._let_go.run(horizon=horizon)
            self._look(horizon)

    def now(self) -> pa.Table:
        self.table.settle()
        if self.kept.groups.window is None:
            return self._of(self.table.all())
        return self._closed.rows(horizon=FOR_GOOD, before=self.horizon)

    def _of(self, touched: pa.Table) -> pa.Table:
        """The result so far, of the groups that these belong to."""
        self._touched.hold(touched)
        rows = self._changes.rows(len(touched))
        self._touched.hold(None)
        return rows

    def _look(self, horizon: int) -> None:
        """See when something may close next."""
        self.horizon = horizon
        found = self._next.rows(before=horizon)[HORIZON_AT][0].as_py()
        self._opens = None if found is None else max(found, horizon + max(self.kept.pause, 1))
