"""Staged rows on their way into a lake table: in the types of its columns, and for merges what comes and what leaves.

DuckDB computes it, within little memory: the rows of the table go by once, and only those are kept that a staged row may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_merge import EXISTING, LEAVING, Changes, FileMerge, first_versions
from headrace.infrastructure.connectors.file_rows import free_name
from headrace.infrastructure.connectors.history import instant, too_late
from headrace.infrastructure.connectors.lakes.lake import LEAVES, Commit, Exchange, LakeTable
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.staged_rows import INCOMING, scalar, select_staged
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH_ROWS = 50_000
_ARRIVING = "arriving"


@record
class Incoming:
    """Rows that come to a table whose schema will be `schema`."""

    con: duckdb.DuckDBPyConnection
    options: PublishingOptions
    staged: Staged
    checkpoint: Checkpoint
    schema: Schema
    target: str

    def into(self, table: LakeTable, commit: Commit) -> Publication:
        """Bring them in by one commit; what that did."""
        self._define()
        self._demand_all()
        if self.options.mode == "append":
            table.append(self._reader(self._plain()), commit)
            return Publication(self.target, inserted=self.staged.rows)
        if self.options.mode == "replace":
            before = table.count()
            table.replace(self._reader(self._plain()), commit)
            return Publication(self.target, inserted=self.staged.rows, deleted=before)
        return self._merged(table, commit)

    def _merged(self, table: LakeTable, commit: Commit) -> Publication:
        self._take_existing(table)
        merge = FileMerge(self.con, self.options, self.schema, self._arrived, self._file, self.checkpoint.at)
        if merge.is_late():
            raise too_late(self.target, self.checkpoint.at)
        changes = merge.changes()
        done = Publication(self.target, changes.inserted, changes.updated, changes.closed, changes.unchanged)
        coming = scalar(self.con, f"SELECT count(*) FROM ({changes.added})")
        if changes.leaving:
            current = self.options.is_current if self.options.history else None
            table.exchange(Exchange(self._reader(self._exchanged(changes)), self.options.key, current), commit)
        elif coming:
            table.append(self._reader(changes.added), commit)
        else:
            table.note(commit)
        return done

    # The staged rows -------------------------------------------------------------------------------------------------

    @property
    def _arrived(self) -> Schema:
        """The columns that were staged, in the types of the table."""
        return Schema(tuple(self.schema[name] for name in self.staged.schema.names))

    def _define(self) -> None:
        cells = ", ".join(
            f"CAST({quoted(c.name)} AS {duckdb_type(c.type)}) AS {quoted(c.name)}" for c in self._arrived
        )  # fmt: skip
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW {INCOMING} AS SELECT {cells} FROM ({select_staged(self.staged)})")

    def _demand_all(self) -> None:
        """A file that was cut, or was staged by another run, must not become part of a table."""
        found = scalar(self.con, f"SELECT count(*) FROM {INCOMING}")
        if found != self.staged.rows:
            raise NonRetryableError(
                f"{self.target}: {self.staged.rows} rows were staged, and {found} are there; nothing was published",
                hint="run the pipeline again",
            )

    def _plain(self) -> str:
        """The staged rows in all columns of the table, null where they have none."""
        return first_versions(self.schema, self._arrived, self.options, self.checkpoint.at)

    def _reader(self, query: str) -> pa.RecordBatchReader:
        return self.con.sql(query).to_arrow_reader(_BATCH_ROWS)

    # Merging ---------------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> str:
        return free_name(self.schema)

    def _take_existing(self, table: LakeTable) -> None:
        """Keep the rows of the table that may have to change; the others go by."""
        there = [c.name for c in table.schema]
        self.con.register(_ARRIVING, table.rows(there))
        try:
            cells = ", ".join(self._cell(c, c.name in there) for c in self.schema)
            rows = f"SELECT {cells}, '' AS {quoted(self._file)} FROM {_ARRIVING}"
            same = " AND ".join(f"e.{quoted(k)} = i.{quoted(k)}" for k in self.options.key)
            wanted = f"EXISTS (SELECT 1 FROM {INCOMING} AS i WHERE {same})"
            if self.options.history:
                current, since = (f"e.{quoted(n)}" for n in (self.options.is_current, self.options.valid_from))
                also = "true" if self.options.deleted == "close" else f"{since} > {instant(self.checkpoint.at)}"
                wanted = f"coalesce({current}, false) AND ({wanted} OR {also})"
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {EXISTING} AS SELECT * FROM ({rows}) AS e WHERE {wanted}")
        finally:
            self.con.unregister(_ARRIVING)

    def _cell(self, column: Column, there: bool) -> str:
        value = quoted(column.name) if there else "NULL"
        return f"CAST({value} AS {duckdb_type(column.type)}) AS {quoted(column.name)}"

    def _exchanged(self, changes: Changes) -> str:
        """Both halves of an exchange as one relation."""
        keys_of = self.options.key
        gone = [
            f"{quoted(c.name) if c.name in keys_of else f'CAST(NULL AS {duckdb_type(c.type)})'} AS {quoted(c.name)}"
            for c in self.schema
        ]
        keys = f"SELECT DISTINCT {quoted_list(self.options.key)} FROM {LEAVING}"
        return (
            f"SELECT {', '.join(gone)}, true AS {quoted(LEAVES)} FROM ({keys}) UNION ALL "
            f"SELECT {quoted_list(self.schema.names)}, false FROM ({changes.added})"
        )
