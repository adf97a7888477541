"""What a stream keeps for one step with groups, in a table of DuckDB: adds to it, closes windows, saves it and takes it up again.

What rows add is a small Arrow table. It goes into the table when that is read; until then it lies beside it. It is what a checkpoint
saves, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.relation import Dataset, Relation
from headrace.business.processing.steps.event_windows import WHOLE
from headrace.business.streams.flow import Keeping
from headrace.business.streams.groups import HORIZON_AT, KEPT, LATE
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_statements import Prepared, Statements, query
from headrace.infrastructure.engines.duckdb.types import duckdb_type

if TYPE_CHECKING:
    import pyarrow as pa

#: A horizon before and behind every window.
NEVER, FOR_GOOD = -(1 << 62), 1 << 62
#: How many rows are added before it is looked whether fewer say the same.
_WORTH_COMPACTING = 100_000


class KeptRows:
    """The state of one step."""

    def __init__(self, statements: Statements, keeping: Keeping) -> None:
        self.statements, self.step, self.kept = statements, keeping.step, keeping.kept
        self.schema = self.kept.kept_schema
        self.table = statements.table(f"kept {self.step}", self.schema)
        self._added = statements.inlet(f"added {self.step}", self.schema)
        self._touched = statements.inlet(f"touched {self.step}", self.schema)
        values = ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)})" for c in self.schema)
        self._insert = statements.prepare(f"INSERT INTO {self.table} SELECT {values} FROM {self._added.sql}")
        self._empty = statements.prepare(f"DELETE FROM {self.table}")
        self._all = statements.prepare(f"SELECT * FROM {self.table}")
        self._count = statements.prepare(f"SELECT count(*) AS n FROM {self.table}")
        self._prepare()
        self._waiting: list[pa.Table] = []
        self._unsaved: list[pa.Table] = []
        self._changed: list[pa.Table] = []
        self._opens: int | None = None
        self._grown = self._dense = 0
        self.horizon = NEVER

    def _prepare(self) -> None:
        rows = Dataset(Schema((*self.schema, Column(KEPT, WHOLE))), "kept")
        tables = {"kept": f'(SELECT *, rowid AS "{KEPT}" FROM {self.table})', "touched": self._touched.sql}

        def prepared(relation: Relation) -> Prepared:
            return self.statements.prepare(query({}, relation, tables))

        if self.kept.groups.window is not None:
            self._closed = prepared(self.kept.closed(rows))
            gone = query({}, self.kept.gone(rows), tables)
            self._let_go = self.statements.prepare(f"DELETE FROM {self.table} WHERE rowid IN ({gone})")
            self._next = prepared(self.kept.opens(rows))
        if self.emits_changes:
            self._changes = prepared(self.kept.changed(rows, Dataset(self.schema, "touched")))
        if self.kept.compacts:
            self._fewer = prepared(self.kept.compacted(rows))

    @property
    def emits_changes(self) -> bool:
        return self.kept.groups.emit != "close"

    # Rows that come --------------------------------------------------------------------------------------------------

    def add(self, made: pa.Table) -> bool:
        """Keep what was made of rows; whether some of them came too late."""
        import pyarrow.compute as pc

        late = made[LATE]
        some_late = bool(pc.any(late).as_py())
        kept = (made.filter(pc.invert(late)) if some_late else made).drop_columns([LATE])
        if len(kept):
            self._waiting.append(kept)
            self._unsaved.append(kept)
            if self.emits_changes:
                self._changed.append(kept)
            self._note(kept)
        return some_late

    def _note(self, kept: pa.Table) -> None:
        """When something of this may close."""
        import pyarrow.compute as pc

        if (column := self.kept.first_column) is not None:
            first = pc.min(kept[column]).as_py() + self.kept.open_for
            self._opens = first if self._opens is None else min(self._opens, first)

    def _settle(self) -> None:
        """Put what lies beside the table into it."""
        import pyarrow as pa

        if not self._waiting:
            return
        added = pa.concat_tables(self._waiting)
        self._waiting = []
        self._fill(added)
        self._grown += len(added)
        if self.kept.compacts and self._grown > max(_WORTH_COMPACTING, self._dense):
            self._compact()

    def _fill(self, rows: pa.Table) -> None:
        self._added.hold(rows)
        self.statements.run(self._insert)
        self._added.hold(None)

    def _compact(self) -> None:
        fewer = self.statements.rows(self._fewer)
        self.statements.run(self._empty)
        self._fill(fewer)
        self._grown, self._dense = 0, len(fewer)

    # Rows that go ----------------------------------------------------------------------------------------------------

    def advance(self, horizon: int) -> list[pa.Table]:
        """Close what ends here or before: the rows to be given out."""
        if self._opens is None or horizon < self._opens:
            return []
        given = []
        if self.kept.groups.emit == "change":
            given += self.changes()
        self._settle()
        if self.kept.groups.emit != "change":
            given.append(self.statements.rows(self._closed, horizon=horizon, before=self.horizon))
        self.statements.run(self._let_go, horizon=horizon)
        self.horizon = horizon
        self._look(horizon)
        return [rows for rows in given if len(rows)]

    def changes(self) -> list[pa.Table]:
        """What has changed since the last time, as it is now."""
        import pyarrow as pa

        if not self._changed:
            return []
        self._settle()
        self._touched.hold(pa.concat_tables(self._changed))
        rows = self.statements.rows(self._changes)
        self._touched.hold(None)
        self._changed = []
        return [rows]

    def _look(self, horizon: int) -> None:
        """When something may close next."""
        found = self.statements.rows(self._next, before=horizon)[HORIZON_AT][0].as_py()
        self._opens = None if found is None else max(found, horizon + 1)

    # Saving ----------------------------------------------------------------------------------------------------------

    def unsaved(self) -> pa.Table:
        """What was added since the last time, whatever became of it: what is closed is known by the horizon."""
        import pyarrow as pa

        added, self._unsaved = self._unsaved, []
        return pa.concat_tables(added) if added else self._added.schema.empty_table()

    def everything(self) -> pa.Table:
        self._settle()
        self._unsaved = []
        return self.statements.rows(self._all)

    def restore(self, saved: list[pa.Table], horizon: int) -> None:
        """Begin with this, as it was when windows had closed up to a horizon."""
        import pyarrow as pa

        self._waiting, self._unsaved, self._changed = [], [], []
        self._grown = self._dense = 0
        self.statements.run(self._empty)
        rows = pa.concat_tables([table.cast(self._added.schema) for table in saved])
        self._waiting = [rows]
        self._settle()
        self.horizon, self._opens = horizon, None
        if self.kept.groups.window is not None:
            self.statements.run(self._let_go, horizon=horizon)
            self._look(horizon)

    # For people ------------------------------------------------------------------------------------------------------

    def now(self) -> pa.Table:
        """The result so far, of all that is open."""
        self._settle()
        if self.kept.groups.window is None:
            self._touched.hold(self.statements.rows(self._all))
            rows = self.statements.rows(self._changes)
            self._touched.hold(None)
            return rows
        return self.statements.rows(self._closed, horizon=FOR_GOOD, before=self.horizon)

    def measure(self) -> dict[str, Any]:
        waiting = sum(map(len, self._waiting))
        rows = self.statements.rows(self._count)["n"][0].as_py() + waiting
        return {"rows": rows, "bytes": rows * self._width()}

    def _width(self) -> int:
        """Bytes of a row, about: those of its types, and a text's as of short ones."""
        return sum(_WIDTHS.get(duckdb_type(c.type), 16) for c in self.schema)


_WIDTHS = {"BIGINT": 8, "DOUBLE": 8, "INTEGER": 4, "BOOLEAN": 1, "TIMESTAMP": 8}
