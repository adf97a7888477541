"""Where the rows of a state lie: few in an Arrow table, many in a table of DuckDB. Not when they change places (see `stream_table`).

DuckDB plans a statement about a table of its own anew each time that it is carried out, which takes longer than to carry it out on some
thousand rows. A statement about an inlet it plans once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.steps.event_windows import WHOLE
from headrace.business.streams.groups import KEPT
from headrace.business.streams.keys import NUMBERED, Keys
from headrace.business.streams.slots import SLOT
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_numbers import typed, with_number
from headrace.infrastructure.engines.duckdb.stream_statements import Statements

if TYPE_CHECKING:
    import pyarrow as pa

#: So many rows, of so many bytes, are few.
FEW, SMALL = 20_000, 4 << 20
#: In so many pieces they may lie.
_PIECES = 8

#: Deletes rows by a statement that is told these values.
Deletion = Callable[..., None]


class Place(Protocol):
    """Holds rows."""

    sql: str
    """What stands after FROM for them, with the number of each behind its columns."""

    def add(self, rows: pa.Table) -> None: ...

    def clear(self) -> None: ...

    def count(self) -> int: ...

    def all(self) -> pa.Table: ...

    def of(self, slots: range) -> pa.Table:
        """The rows of these slots, which have some."""
        ...

    def remove(self, slots: range) -> None: ...

    def deletion(self, numbers: str) -> Deletion:
        """Deletes the rows whose numbers a query gives."""
        ...


class FewRows:
    """See `Place`. A row's number is its place among the others."""

    def __init__(self, statements: Statements, name: str, schema: Schema) -> None:
        import pyarrow as pa

        self.statements = statements
        numbered = Schema((*schema, Column(KEPT, WHOLE)))
        self._inlet = statements.inlet(f"few {name}", numbered)
        self.sql = typed(self._inlet, numbered)
        self.nothing: pa.Table = self._inlet.schema.empty_table().drop_columns([KEPT])
        self._all_numbers = pa.array(range(FEW))
        self.clear()

    def takes(self, rows: pa.Table) -> bool:
        """Whether they are few with these."""
        return len(self._rows) + len(rows) <= FEW and self._rows.nbytes + rows.nbytes <= SMALL

    def add(self, rows: pa.Table) -> None:
        import pyarrow as pa

        self._hold(pa.concat_tables([self._rows, rows]) if len(self._rows) else rows)

    def clear(self) -> None:
        self._hold(self.nothing)

    def count(self) -> int:
        return len(self._rows)

    def all(self) -> pa.Table:
        return self._rows

    def of(self, slots: range) -> pa.Table:
        return self._rows.filter(_within(self._rows, slots))

    def remove(self, slots: range) -> None:
        self._hold(outside(self._rows, slots))

    def deletion(self, numbers: str) -> Deletion:
        prepared = self.statements.prepare(numbers)

        def delete(**given: int) -> None:
            found = self.statements.rows(prepared, **given)
            if len(found):
                self._leave_out(found.column(0))

        return delete

    def _leave_out(self, numbers: pa.ChunkedArray) -> None:
        import pyarrow.compute as pc

        self._hold(self._rows.filter(pc.invert(pc.is_in(self._numbers(), value_set=numbers))))

    def _hold(self, rows: pa.Table) -> None:
        pieces = max((column.num_chunks for column in rows.columns), default=1)
        self._rows = rows.combine_chunks() if pieces > _PIECES else rows
        self._inlet.hold(self._rows.append_column(KEPT, self._numbers()))

    def _numbers(self) -> pa.Array:
        return self._all_numbers[: len(self._rows)]


class ManyRows:
    """See `Place`. With `keys`, each row stands there with the number of these."""

    def __init__(self, statements: Statements, name: str, schema: Schema, keys: Keys) -> None:
        self.statements = statements
        self._columns = ", ".join(identifier(c.name) for c in schema)
        self.table = statements.table(f"kept {name}", Schema((*schema, Column(NUMBERED, WHOLE))) if keys else schema)
        self.sql = f'(SELECT {self._columns}, rowid AS "{KEPT}" FROM {self.table})'
        self._added = statements.inlet(f"added {name}", schema)
        added = typed(self._added, schema)
        values = with_number(added, keys) if keys else f"SELECT * FROM {added}"
        self._insert = statements.prepare(f"INSERT INTO {self.table} {values}")
        self._empty = statements.prepare(f"DELETE FROM {self.table}")
        self._all = statements.prepare(f"SELECT {self._columns} FROM {self.table}")
        self._count = statements.prepare(f"SELECT count(*) AS n FROM {self.table}")
        self._of = statements.prepare(f"SELECT {self._columns} FROM {self.table} WHERE {SOME}")
        self._remove = statements.prepare(f"DELETE FROM {self.table} WHERE {SOME}")

    def numbered_in(self, numbers: str) -> str:
        """What stands after FROM for those rows alone whose keys have one of the numbers that a query gives."""
        found = f'SELECT {self._columns}, rowid AS "{KEPT}" FROM {self.table} WHERE "{NUMBERED}" IN ({numbers})'
        return f"(WITH found AS MATERIALIZED ({found}) FROM found)"

    def add(self, rows: pa.Table) -> None:
        self._added.hold(rows)
        self.statements.run(self._insert)
        self._added.hold(None)

    def clear(self) -> None:
        self.statements.run(self._empty)

    def count(self) -> int:
        return int(self.statements.rows(self._count)["n"][0].as_py())

    def all(self) -> pa.Table:
        return self.statements.rows(self._all)

    def of(self, slots: range) -> pa.Table:
        return self.statements.rows(self._of, first=slots.start, last=slots.stop - 1)

    def remove(self, slots: range) -> None:
        self.statements.run(self._remove, first=slots.start, last=slots.stop - 1)

    def deletion(self, numbers: str) -> Deletion:
        prepared = self.statements.prepare(f"DELETE FROM {self.table} WHERE rowid IN ({numbers})")
        return lambda **given: self.statements.run(prepared, **given)


def outside(rows: pa.Table, slots: range) -> pa.Table:
    """The rows of other slots."""
    import pyarrow.compute as pc

    return rows.filter(pc.invert(_within(rows, slots)))


def _within(rows: pa.Table, slots: range) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.and_(pc.greater_equal(rows[SLOT], slots.start), pc.less(rows[SLOT], slots.stop))


#: That a row is of slots that a statement is told.
SOME = f'"{SLOT}" BETWEEN CAST($first AS TINYINT) AND CAST($last AS TINYINT)'
