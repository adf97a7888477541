"""Staged rows on their way into a lake table: in the types of its columns, and for merges what comes and what leaves.

DuckDB computes it, within little memory: the rows of the table go by once, and only those are kept that a staged row may change.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.model.schema import Schema
from headrace.business.model.types import Date, Decimal, Integer, String
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_merge import EXISTING, FileMerge, first_versions
from headrace.infrastructure.connectors.history import instant, too_late
from headrace.infrastructure.connectors.lakes.exchange import FILE, Exchange, cells, stream
from headrace.infrastructure.connectors.lakes.lake import Commit, LakeTable, Within
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.staged_rows import INCOMING, scalar, select_staged
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record

_ARRIVING, _FOUND = "arriving", "_headrace_found"


@record
class Change:
    """What a commit will have done, and what makes it."""

    done: Publication
    make: Callable[[Commit], None]


@record
class Incoming:
    """Rows that come to a table whose schema will be `schema`."""

    con: Connection
    options: PublishingOptions
    staged: Staged
    checkpoint: Checkpoint
    schema: Schema
    target: str

    def change(self, table: LakeTable) -> Change:
        """What bringing them in will have done, and how it is done by one commit."""
        self._define()
        self._demand_all()
        rows = self.staged.rows
        if self.options.mode == "append":
            return Change(
                Publication(self.target, inserted=rows), lambda commit: table.append(stream(self.con, self._plain()), commit)
            )
        if self.options.mode == "replace":
            done = Publication(self.target, inserted=rows, deleted=table.count())
            return Change(done, lambda commit: table.replace(stream(self.con, self._plain()), commit))
        return self._merged(table)

    def _merged(self, table: LakeTable) -> Change:
        self._take_existing(table)
        merge = FileMerge(self.con, self.options, self.schema, self._arrived, FILE, self.checkpoint.at)
        if merge.is_late():
            raise too_late(self.target, self.checkpoint.at)
        found = merge.changes()
        done = Publication(self.target, found.inserted, found.updated, found.closed, found.unchanged)
        if found.leaving:
            return Change(done, lambda commit: table.exchange(Exchange(self.con, merge, found), commit))
        if scalar(self.con, f"SELECT count(*) FROM ({found.added})"):
            return Change(done, lambda commit: table.append(stream(self.con, found.added), commit))
        return Change(done, table.note)

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

    # Merging ---------------------------------------------------------------------------------------------------------

    def _take_existing(self, table: LakeTable) -> None:
        """Keep the rows of the table that may have to change; the others go by."""
        there = table.schema.names
        rows = table.rows(there, self._within(table))
        self.con.register(_ARRIVING, rows)
        file = quoted(FILE) if FILE in rows.schema.names else "''"
        arriving = f"SELECT {cells(self.schema, there)}, {file} AS {quoted(FILE)} FROM {_ARRIVING}"
        keys = f"SELECT {quoted_list(self.options.key)}, true AS {quoted(_FOUND)} FROM {INCOMING}"
        same = " AND ".join(f"e.{quoted(k)} = i.{quoted(k)}" for k in self.options.key)
        joined = f"({arriving}) AS e LEFT JOIN ({keys}) AS i ON {same}"
        try:
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {EXISTING} AS SELECT e.* FROM {joined} WHERE {self._wanted()}")
        finally:
            self.con.unregister(_ARRIVING)

    def _wanted(self) -> str:
        """Which rows may have to change: those of a key that comes, and of a history those in force that this publication may close."""
        found = f"i.{quoted(_FOUND)}"
        if not self.options.history:
            return found
        current, since = (f"e.{quoted(n)}" for n in (self.options.is_current, self.options.valid_from))
        also = "true" if self.options.deleted == "close" else f"{since} > {instant(self.checkpoint.at)}"
        return f"coalesce({current}, false) AND ({found} OR {also})"

    def _within(self, table: LakeTable) -> Within | None:
        """The range of the first column of the key, so that a table can leave out files; None where other rows matter too."""
        column = table.schema.resolve(self.options.key[0])
        if column is None or self.options.history or not isinstance(column.type, Date | Decimal | Integer | String):
            return None
        name = quoted(column.name)
        query = f"SELECT CAST(min({name}) AS VARCHAR), CAST(max({name}) AS VARCHAR) FROM {INCOMING}"
        least, greatest = self.con.execute(query).fetchall()[0]
        return None if least is None else Within(column.name, least, greatest)
