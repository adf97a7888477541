"""The sink `snowflake`: a table, filled in one transaction together with its ledger.

Rows reach a table of their own first, as Parquet by PUT and COPY INTO, or are in a table of the same database already. Every statement
that defines something commits what came before it there. So tables and columns are made first, while nothing has changed that counts;
then one transaction deletes, merges and inserts, and writes the ledger.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headrace.business.inside import StagedTable
from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.infrastructure.connectors import fences, milestones, table_publication
from headrace.infrastructure.connectors.evolution import added_columns
from headrace.infrastructure.connectors.history import history_columns, missing_history
from headrace.infrastructure.connectors.ledger import checkpoints, holds
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.snowflake_connection import ReachedSnowflake
from headrace.infrastructure.connectors.snowflake_source import SnowflakeSource
from headrace.infrastructure.connectors.snowflake_table import Incoming, SnowflakeDatabase, SnowflakeTable
from headrace.infrastructure.connectors.staged_rows import INCOMING, check_key, define_incoming, demand_key, reader
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import name_problems, spoken, stored
from headrace.infrastructure.snowflake.types import takes, why_not
from headrace.infrastructure.sql_text import quoted, quoted_list

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class SnowflakeSink(ReachedSnowflake, TableOptions):
    """A table of a Snowflake database."""

    kind: ClassVar[str] = "snowflake"

    def target(self, project: Path) -> str:  # noqa: ARG002  a server is where it is
        return f"snowflake ({self.table})"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if find_spec("snowflake") is None:
            yield "snowflake needs its driver: pip install 'headrace[snowflake]'"
        if self.table.count(".") > 1:
            yield f"`{self.table}` is not the name of a table: write `table` or `schema.table`"
        if self.indexes:
            yield "Snowflake's tables have no indexes: leave `indexes` out"
        yield from name_problems((*self.table.split("."), *schema.names, *self.history))
        for column in schema:
            if why := why_not(column.type):
                yield f"`{column.name}`: {why}"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change in one transaction, and readers see the state before it until it commits"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._connected(project) as connection:
            db = SnowflakeDatabase(connection, self.table)
            return checkpoints(db.ledger.read()) if db.columns() is not None else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with self._connected(project) as connection:
            db = SnowflakeDatabase(connection, self.table)
            db.prepare()
            with db.alone():
                fences.admit(db.fences, pipeline, fence, self.target(project))
            milestones.reached("committed")

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        with self._connected(project) as connection:
            db = SnowflakeDatabase(connection, self.table)
            there = db.columns()
        if there is None:
            return None
        names = quoted_list(stored(c) for c in columns.names if stored(c) in there) or 'NULL AS "no column"'
        where = f" WHERE {quoted(stored(self.is_current))}" if self.mode == "scd2" else ""
        rows = SnowflakeSource(connection=self.connection, query=f"SELECT {names} FROM {db.table}{where}")
        return copied_arrow(rows.scan(project), columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        with tempfile.TemporaryDirectory(prefix="headrace-") as spill, reader(Path(spill)) as rows:
            define_incoming(rows, staged)
            if self.key:
                check_key(rows, INCOMING, self.key)
            milestones.reached("about to publish")
            there = [f"{quoted(c.name)} AS {quoted(stored(c.name))}" for c in staged.schema]
            renamed = f"(SELECT {', '.join(there)} FROM {INCOMING})"
            with self._connected(project) as connection:
                source = Incoming(as_stored(staged.schema), staged.rows, con=rows, relation=renamed, folder=Path(spill))
                return self._published(project, connection, staged.schema, source, checkpoint)

    def lies_in(self, database: str) -> bool:
        return self.account.identity == database

    def publish_inside(self, project: Path, staged: StagedTable, checkpoint: Checkpoint) -> Publication:
        milestones.reached("about to publish")
        with self._connected(project) as connection:
            db = SnowflakeDatabase(connection, self.table)
            if self.key:
                demand_key(db.rows, staged.table, self.key)
            there = [f"{quoted(c.name)} AS {quoted(stored(c.name))}" for c in staged.schema]
            source = Incoming(as_stored(staged.schema), staged.rows, inside=f"(SELECT {', '.join(there)} FROM {staged.table})")
            return self._published(project, connection, staged.schema, source, checkpoint)

    def _published(
        self, project: Path, connection: SnowflakeConnection, schema: Schema, source: Incoming, checkpoint: Checkpoint
    ) -> Publication:
        shown, options = self.target(project), self._as_stored()
        staged = StagedTable("", "", source.schema, source.count, 0)
        db = SnowflakeTable(connection, self.table, source, options)
        db.prepare()
        if done := self._needless(db, checkpoint, shown):
            return done
        there = db.columns()
        self._demand_room(db, there, schema, shown)
        with db.arrived():
            table_publication.shape(db, options, source.schema, there, shown)
            with db.alone():
                done = table_publication.publish(db, options, staged, checkpoint, shown)
            milestones.reached("committed")
        return done

    def _needless(self, db: SnowflakeTable, checkpoint: Checkpoint, shown: str) -> Publication | None:
        """Let in whoever may publish, and find out whether that was done before: before anything is defined."""
        with db.alone():
            fences.admit(db.fences, checkpoint.pipeline, checkpoint.fence, shown)
            if db.columns() is None:
                db.ledger.clear()
            elif holds(db.ledger.read(), checkpoint):
                return Publication(shown, already=True)
        return None

    def _demand_room(self, db: SnowflakeTable, there: Mapping[str, str] | None, schema: Schema, shown: str) -> None:
        """What the rows do not fit is refused in the names that people here know."""
        if there is None:
            return
        known = {spoken(name): kind for name, kind in there.items()}
        added_columns(shown, known, schema, takes)
        history = history_columns(self, known)
        if history and db.rows(f"SELECT 1 FROM {db.table} LIMIT 1"):
            raise missing_history(shown, history)

    def _as_stored(self) -> SnowflakeSink:
        """The options, with the names of columns as they are there."""
        names = {name: stored(getattr(self, name)) for name in ("valid_from", "valid_to", "is_current")}
        return self.model_copy(update={"key": tuple(map(stored, self.key)), **(names if self.mode == "scd2" else {})})

    @contextmanager
    def _connected(self, project: Path) -> Iterator[SnowflakeConnection]:
        shown = self.target(project)
        with closing(self.account.connect()) as connection, snowflake_faults(shown):
            yield connection


def as_stored(schema: Schema) -> Schema:
    return Schema(tuple(replace(column, name=stored(column.name)) for column in schema)) if len(schema) else schema
