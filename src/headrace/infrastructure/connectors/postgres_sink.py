"""The sink `postgres`: a table, filled by COPY in one transaction together with its ledger.

Readers see the last state until the transaction commits, in every mode: rows are deleted and inserted, never truncated. Only
when a column is added do readers wait for the commit. Other writers wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.business.inside import HeldInside, StagedTable
from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Enum, Json, List, String, Struct
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.business.streams.state import Outlet
from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.postgres_connection import ReachedPostgres
from headrace.infrastructure.connectors.postgres_delivery import PostgresDelivery
from headrace.infrastructure.connectors.postgres_source import PostgresSource
from headrace.infrastructure.connectors.postgres_table import CopiedInto, InsertedInto, PostgresDatabase, StreamedInto
from headrace.infrastructure.connectors.server_sink import ServerSink
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.staged_rows import INCOMING, demand_key, incoming_rows, scalar
from headrace.infrastructure.connectors.table_publication import LONGEST_NAME
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.postgresql.faults import UNSTORABLE, explained, postgres_faults, with_nul
from headrace.infrastructure.postgresql.identity import identity_of
from headrace.infrastructure.postgresql.types import takes
from headrace.infrastructure.sql_text import quoted, quoted_list

if TYPE_CHECKING:
    import psycopg

#: For the transaction alone, so that a connection that a pool lends us goes back as it was. Whoever waited for another must see
#: what that one wrote in its ledger and its fences, and not the state before: so each statement reads anew.
_SETTINGS = {
    "timezone": "UTC", "datestyle": "ISO", "standard_conforming_strings": "on", "lock_timeout": "60s",
    "transaction_isolation": "read committed",
}  # fmt: skip

#: Of rows that come while they are staged: whoever is in the way is not waited for, and nobody has to wait for a run that hangs.
_AT_ONCE = {"lock_timeout": "1s", "idle_in_transaction_session_timeout": "60s"}


class PostgresSink(ReachedPostgres, ServerSink):
    """A table of a PostgreSQL database."""

    kind: ClassVar[str] = "postgres"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if find_spec("psycopg") is None:
            yield "postgres needs psycopg: pip install 'headrace[postgres]'"
        if self.table.count(".") > 1:
            yield f"`{self.table}` is not the name of a table: write `table` or `schema.table`"
        for name in (*self.table.split("."), *schema.names, *self.history):
            if len(name.encode()) > LONGEST_NAME:
                yield f"the name `{name}` has more than {LONGEST_NAME} bytes, and PostgreSQL would cut it; choose a shorter one"

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        with postgres_faults(self.target(project)), self._connect() as connection:
            db = PostgresDatabase(connection, self.table)
            there = db.columns()
        if there is None:
            return None
        names = quoted_list(c for c in columns.names if c in there) or 'NULL AS "no column"'
        rows = PostgresSource(url=self.url, connection=self.connection, query=f"SELECT {names} FROM {db.table}{self.in_force}")
        return copied_arrow(rows.scan(project), columns, folder)

    def held_inside(self, columns: Schema) -> HeldInside | None:
        with postgres_faults(self.target(Path())), self._connect() as connection:
            db = PostgresDatabase(connection, self.table)
            there, database = db.columns(), identity_of(connection)
        if there is None or not all(_is_as_stored(there[c.name], c.type) for c in columns if c.name in there):
            return None
        cells = (quoted(c.name) if c.name in there else f"NULL AS {quoted(c.name)}" for c in columns)
        return HeldInside(database, f"SELECT {', '.join(cells)} FROM {db.table}{self.in_force}", columns)

    def moved(self, place: str) -> PostgresSink:
        """In a schema of that name, with the old one in the table's own, since there may be two tables of one name."""
        return self.model_copy(update={"table": f"{place}.{self.table.replace('.', '_')[:LONGEST_NAME]}"})

    def clear(self, place: str) -> None:
        with postgres_faults(f"postgres ({place})"), self._connect() as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {quoted(place)} CASCADE".encode())

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        with incoming_rows(staged, self.key) as rows:
            milestones.reached("about to publish")
            with _faults(shown, rows, staged.schema), self._connect() as connection:
                db = CopiedInto(connection, self.table, staged.schema, rows, staged.rows)
                db.prepare()
                return self._publish_on(connection, db, staged, checkpoint, shown)

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        from headrace.infrastructure.connectors.streams.postgres_outlet import OpenPostgres
        from headrace.infrastructure.connectors.streams.table_outlet import TableOutlet

        shown = self.target(project)
        return TableOutlet(self, stream, schema, shown, OpenPostgres(lambda: self.address, self.table, schema, self.key, shown))

    def deliver(self, project: Path, schema: Schema, checkpoint: Checkpoint) -> PostgresDelivery | None:
        """Only where it takes nothing from anybody: rows are added to a table that need not change, and keys are not compared."""
        if self.mode not in ("append", "replace"):
            return None
        shown = self.target(project)
        with suppress(RunError), postgres_faults(shown), ExitStack() as undone:
            connection = undone.enter_context(self._connect())
            connection.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _AT_ONCE.items()).encode())
            delivery = PostgresDelivery(schema, connection)
            db = StreamedInto(connection, self.table, schema, delivery.batches(), delivery.wait_for_word)
            db.prepare()
            if db.in_binary():
                undone.pop_all()
                delivery.begin(partial(self._delivered, connection, db, delivery, checkpoint, shown))
                return delivery
        return None

    def _delivered(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        db: StreamedInto,
        delivery: PostgresDelivery,
        checkpoint: Checkpoint,
        shown: str,
    ) -> Publication:
        import pyarrow as pa

        with postgres_faults(shown):
            try:
                return self._publish_on(connection, db, delivery, checkpoint, shown)
            except pa.ArrowException as error:
                raise NonRetryableError(f"{shown}: {error}", hint="cast the columns in a step") from error

    def lies_in(self, database: str) -> bool:
        with postgres_faults(self.target(Path())), self._connect() as connection:
            return identity_of(connection) == database

    def publish_inside(self, project: Path, staged: StagedTable, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        milestones.reached("about to publish")
        with postgres_faults(shown), self._connect() as connection:
            db = InsertedInto(connection, self.table, staged.schema, staged)
            if self.key:
                demand_key(db.rows, staged.table, self.key)
            db.prepare()
            return self._publish_on(connection, db, staged, checkpoint, shown)

    def _faults(self, shown: str) -> AbstractContextManager[None]:
        return postgres_faults(shown)

    def _there(self, connection: psycopg.Connection[tuple[Any, ...]]) -> PostgresDatabase:
        return PostgresDatabase(connection, self.table)

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection whose transaction begins with its first statement, and is rolled back unless it is committed."""
        import psycopg

        connection = psycopg.connect(self.address, application_name="headrace", client_encoding="utf8")
        try:
            connection.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _SETTINGS.items()).encode())
        except psycopg.Error:
            connection.close()
            raise
        return connection


def _is_as_stored(there: str, kind: DataType) -> bool:
    """Whether a column of the type `there` holds values of `kind` as such, and not written as text or JSON."""
    written = isinstance(kind, Struct) or (isinstance(kind, List) and not there.endswith("[]"))
    return takes(there, kind) and not written


@contextmanager
def _faults(shown: str, rows: Connection, schema: Schema) -> Iterator[None]:
    """As `postgres_faults`, and names the column with a character that PostgreSQL cannot store."""
    import duckdb
    import psycopg

    try:
        yield
    except duckdb.Error as error:
        message = str(error).partition("\n")[0]
        raise RetryableError(f"the staged rows cannot be read: {message}", hint="run the pipeline again") from error
    except psycopg.Error as error:
        if error.sqlstate in UNSTORABLE:
            _refuse_nul(rows, schema)
        raise explained(shown, error) from error


def _refuse_nul(rows: Connection, schema: Schema) -> None:
    """Looked for only after PostgreSQL refused, so that the many loads without such characters do not pay for it."""
    for column in schema:
        if isinstance(column.type, String | Enum | Json):
            text = f"CAST({quoted(column.name)} AS VARCHAR)"
            count = scalar(
                rows, f"SELECT count(*) FROM {INCOMING} WHERE contains({text}, chr(0)) OR contains({text}, '\\u0000')"
            )
            if count:
                raise with_nul(column.name, count)
