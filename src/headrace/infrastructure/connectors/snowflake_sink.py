"""The sink `snowflake`: a table, filled in one transaction together with its ledger.

Rows reach a table of their own first, as Parquet by PUT and COPY INTO, or are in a table of the same database already. Every statement
that defines something commits what came before it there. So tables and columns are made first, while nothing has changed that counts;
then one transaction deletes, updates and inserts, and writes the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from headrace.business.inside import HeldInside, StagedTable
from headrace.business.model.schema import Schema
from headrace.business.model.types import Json, List, Struct
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.errors import RunError
from headrace.infrastructure.connectors import fences, milestones, table_publication
from headrace.infrastructure.connectors.evolution import added_columns
from headrace.infrastructure.connectors.history import history_columns, missing_history
from headrace.infrastructure.connectors.ledger import holds
from headrace.infrastructure.connectors.server_sink import ServerSink
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.snowflake_connection import ReachedSnowflake
from headrace.infrastructure.connectors.snowflake_source import SnowflakeSource
from headrace.infrastructure.connectors.snowflake_table import Incoming, SnowflakeDatabase, SnowflakeTable
from headrace.infrastructure.connectors.staged_rows import INCOMING, demand_key, incoming_rows
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import name_problems, spoken, stored
from headrace.infrastructure.snowflake.types import takes, why_not
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class SnowflakeSink(ReachedSnowflake, ServerSink):
    """A table of a Snowflake database."""

    kind: ClassVar[str] = "snowflake"

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

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        query = self._held(columns)
        if query is None:
            return None
        return copied_arrow(SnowflakeSource(connection=self.connection, query=query).scan(project), columns, folder)

    def lies_in(self, database: str) -> bool:
        return self.account.identity == database

    def held_inside(self, columns: Schema) -> HeldInside | None:
        if any(isinstance(column.type, Json | List | Struct) for column in columns):
            return None
        query = self._held(columns)
        return None if query is None else HeldInside(self.account.identity, query, columns)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        with incoming_rows(staged, self.key) as rows, TemporaryDirectory(prefix="headrace-") as folder:
            milestones.reached("about to publish")
            with self._faults(self.target(project)), self._connect() as connection:
                source = Incoming(as_stored(staged.schema), rows, _as_stored(INCOMING, staged.schema), Path(folder))
                return self._published(project, connection, source, staged, checkpoint)

    def publish_inside(self, project: Path, staged: StagedTable, checkpoint: Checkpoint) -> Publication:
        milestones.reached("about to publish")
        with self._faults(self.target(project)), self._connect() as connection:
            if self.key:
                demand_key(self._there(connection).rows, staged.table, self.key)
            source = Incoming(as_stored(staged.schema), inside=_as_stored(staged.table, staged.schema))
            return self._published(project, connection, source, staged, checkpoint)

    # How -------------------------------------------------------------------------------------------------------------

    def _published(
        self,
        project: Path,
        connection: SnowflakeConnection,
        source: Incoming,
        staged: Staged | StagedTable,
        checkpoint: Checkpoint,
    ) -> Publication:
        shown, options = self.target(project), self._as_stored()
        db = SnowflakeTable(connection, self.table, source)
        if already := self._needless(connection, db, checkpoint, shown):
            return already
        there = db.columns()
        self._demand_room(db, there, staged.schema, shown)
        with db.arrived():
            table_publication.shape(db, options, source.schema, there, shown)
            db.alone()
            done = table_publication.publish(db, options, replace(staged, schema=source.schema), checkpoint, shown)
            self._commit(connection)
        return done

    def _needless(
        self, connection: SnowflakeConnection, db: SnowflakeTable, checkpoint: Checkpoint, shown: str
    ) -> Publication | None:
        """Let in whoever may publish, and find out whether that was done before: before anything is defined."""
        db.alone()
        fences.admit(db.fences, checkpoint.pipeline, checkpoint.fence, shown)
        done = False
        if db.columns() is None:
            db.ledger.clear()
        else:
            done = holds(db.ledger.read(), checkpoint)
        connection.commit()
        return Publication(shown, already=True) if done else None

    def _demand_room(self, db: SnowflakeTable, there: Mapping[str, str] | None, schema: Schema, shown: str) -> None:
        """What the rows do not fit is refused in the names that people here know."""
        if there is None:
            return
        known = {spoken(name): kind for name, kind in there.items()}
        added_columns(shown, known, schema, takes)
        history = history_columns(self, known)
        if history and db.rows(f"SELECT 1 FROM {db.table} LIMIT 1"):
            raise missing_history(shown, history)

    def _held(self, columns: Schema) -> str | None:
        """A query of the rows that count, with those of the columns that there are; None where there is no table."""
        with self._faults(self.target(Path())), self._connect() as connection:
            db = self._there(connection)
            there = db.columns()
        if there is None:
            return None
        cells = (f"{quoted(stored(c)) if stored(c) in there else 'NULL'} AS {quoted(c)}" for c in columns.names)
        where = f" WHERE {quoted(stored(self.is_current))}" if self.mode == "scd2" else ""
        return f"SELECT {', '.join(cells)} FROM {db.table}{where}"

    def _as_stored(self) -> SnowflakeSink:
        """The options, with the names of columns as they are there."""
        names = {name: stored(getattr(self, name)) for name in ("valid_from", "valid_to", "is_current")}
        return self.model_copy(update={"key": tuple(map(stored, self.key)), **(names if self.mode == "scd2" else {})})

    def _faults(self, shown: str) -> AbstractContextManager[None]:
        return snowflake_faults(shown)

    @contextmanager
    def _connect(self) -> Iterator[SnowflakeConnection]:
        with closing(self.account.connect()) as connection:
            try:
                yield connection
            finally:
                with suppress(RunError), snowflake_faults(self.kind):
                    connection.rollback()

    def _there(self, connection: SnowflakeConnection) -> SnowflakeDatabase:
        return SnowflakeDatabase(connection, self.table)


def as_stored(schema: Schema) -> Schema:
    return Schema(tuple(replace(column, name=stored(column.name)) for column in schema))


def _as_stored(relation: str, schema: Schema) -> str:
    """A relation with the names that its columns have in the target."""
    cells = ", ".join(f"{quoted(name)} AS {quoted(stored(name))}" for name in schema.names)
    return f"(SELECT {cells} FROM {relation})"
