"""Takes the epochs of a stream into a table of a database, the same way for each: one transaction brings the rows and counts the epoch.

Whoever dies, or loses the answer to a commit, finds out by the number of the epoch whether it counts. What a database does in its own way,
`OpenDatabase` and `EpochTable` ask of it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from headrace.business.model.schema import Schema
from headrace.business.ports import Fence, Publication
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import fences, milestones
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.streams.epoch_rows import conformed, latest
from headrace.infrastructure.connectors.streams.stream_table import StreamTable
from headrace.infrastructure.connectors.table_publication import TableDatabase, index_name, shape

if TYPE_CHECKING:
    import pyarrow as pa


class EpochTable(TableDatabase, Protocol):
    """A table in a transaction, with the rows of an epoch that are to come into it."""

    streams: StreamTable

    def alone(self) -> None:
        """Be the only one who takes streams or publishes there, until the transaction ends."""
        ...

    def demand_key(self) -> None:
        """See to it that rows are found by their key."""
        ...

    def merge(self) -> tuple[int, int]:
        """Insert the rows whose keys are new, and update those that differ: how many of each. No key comes twice."""
        ...


class OpenDatabase(Protocol):
    """A database that is kept open from one epoch to the next. What was cut off is opened anew."""

    def transaction(self, rows: pa.Table | None = None) -> AbstractContextManager[EpochTable]:
        """A transaction that is committed at its end, and rolled back when something is raised in it. Faults are our errors."""
        ...

    def close(self) -> None: ...


class TableOutlet:
    """A table that takes the output of one stream. See `Outlet`."""

    def __init__(self, options: TableOptions, stream: str, schema: Schema, shown: str, database: OpenDatabase) -> None:
        self.options, self.stream, self.schema, self.shown, self.database = options, stream, schema, shown, database
        self._fence: Fence | None = None

    def committed(self, fence: Fence) -> int:
        with self.database.transaction() as db:
            db.alone()
            fences.admit(db.fences, self.stream, fence, self.shown)
            there = db.columns()
            last = db.streams.take(self.stream, fence, anew=there is None)
            milestones.reached("stream taken")
            shape(db, self.options, self.schema, there, self.shown)
            milestones.reached("table ready")
            if self.options.key:
                db.demand_key()
            for columns in self.options.indexes:
                db.create_index(index_name(self.options.table, columns), columns)
        milestones.reached("committed")
        self._fence = fence
        return last

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        if self._fence is None:
            raise NonRetryableError(f"{self.shown}: takes no epoch before `committed` has said by what right")
        merging = self.options.mode == "merge"
        coming = conformed(rows, self.schema)
        coming = latest(coming, self.options.key) if merging else coming
        done = Publication(self.shown)
        with self.database.transaction(coming) as db:
            if not db.streams.advance(self.stream, self._fence, epoch):
                return Publication(self.shown, already=True)
            milestones.reached("epoch written")
            if coming.num_rows and merging:
                inserted, updated = db.merge()
                done = Publication(self.shown, inserted, updated, 0, coming.num_rows - inserted - updated)
            elif coming.num_rows:
                done = Publication(self.shown, inserted=db.load())
            milestones.reached("rows written")
        milestones.reached("committed")
        return done

    def close(self) -> None:
        self.database.close()
