"""The source `postgres`: a table or query, read by COPY into Arrow within one read-only transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.inside import DatabaseScan
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.ports import Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.postgres_connection import ReachedPostgres
from headrace.infrastructure.connectors.side_by_side import side_by_side
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.postgresql.columns import NUMERIC, PostgresColumn
from headrace.infrastructure.postgresql.faults import explained
from headrace.infrastructure.postgresql.identity import identity_of
from headrace.infrastructure.postgresql.reading import batches, described
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa


class PostgresSource(ReachedPostgres):
    """A table or query of a PostgreSQL database."""

    kind: ClassVar[str] = "postgres"
    bounded: ClassVar[bool] = True

    table: str | None = Field(
        None, description=f"The table or view, with its schema when that is not on the search path; {ONE_OF}"
    )
    query: str | None = Field(None, description=f"A SELECT in PostgreSQL's dialect; {ONE_OF}")
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Over how many connections to read a table at once, each a part of its pages, all in one snapshot"
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.parallel > 1 and self.query is not None:
            raise ValueError("`parallel` parts a table by its pages: give `table`, or leave it out")
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"postgres ({self.table})" if self.table else "postgres (query)"

    def scan(self, project: Path) -> DatabaseScan:  # noqa: ARG002 - a server is where it is
        needs_pyarrow("PostgreSQL", "postgres", "adbc_driver_postgresql")
        columns, database = self._look()
        named = {column.name: column for column in columns}

        def whose(condition: str = "true") -> DatabaseScan:
            where = "" if condition == "true" else f" WHERE {condition}"
            return DatabaseScan(
                Schema(tuple(Column(c.name, c.type) for c in columns)),
                open=lambda: self._opened(columns, condition),
                origin=self.origin,
                notes=tuple(c.note for c in columns if c.note),
                disordered=frozenset(c.name for c in columns if c.disordered),
                by_cursor=lambda name, value: whose(named[name].by_cursor(value)),
                database=database,
                query=f"SELECT * FROM ({self._select}\n) AS source{where}" if where else self._select,
            )

        return whose()

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table."""
        needs_pyarrow("PostgreSQL", "postgres", "adbc_driver_postgresql")
        done = int(after or 0)
        for batch in batches(self.address, self._select, self._look()[0], self.origin, skip=done):
            done += batch.num_rows
            yield Batch(batch, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _select(self) -> str:
        if self.query is not None:
            return bare(self.query)
        return f"SELECT * FROM {'.'.join(quoted(part) for part in str(self.table).split('.'))}"

    def _look(self) -> tuple[tuple[PostgresColumn, ...], str]:
        """The columns of the result, and the identity of the database."""
        with self._connected() as connection:
            self._demand_table(connection)
            columns = tuple(_named(connection, described(connection, self._select, self.origin)))
            return columns, identity_of(connection)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        import psycopg

        try:
            with closing(psycopg.connect(self.address, application_name="headrace", client_encoding="utf8")) as con:
                con.read_only = True
                yield con
        except psycopg.Error as error:
            raise explained(self.origin, error) from error

    def _demand_table(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        if self.table is None:
            return
        written = ".".join(quoted(part) for part in self.table.split("."))
        row = connection.execute("SELECT to_regclass(%s)::text", (written,)).fetchone()
        if row is None or row[0] is None:
            tables = connection.execute(
                "SELECT CASE WHEN n.nspname = 'public' THEN relname ELSE n.nspname || '.' || relname END FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'v', 'm', 'p', 'f') "
                "AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            ).fetchall()
            raise NonRetryableError(
                f"postgres has no table `{self.table}`", hint=did_you_mean(self.table, [str(row[0]) for row in tables])
            )
        kind = connection.execute("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", (written,)).fetchall()[0][0]
        if self.parallel > 1 and kind not in ("r", "m"):
            hint = "leave `parallel` out; of a partitioned table, read the partitions"
            raise NonRetryableError(f"`{self.table}` is no plain table, and has no pages to be parted by", hint=hint)

    def _opened(self, columns: Sequence[PostgresColumn], condition: str) -> Iterator[pa.RecordBatch]:
        if self.parallel == 1:
            yield from batches(self.address, self._select, columns, self.origin, condition)
            return
        from psycopg import IsolationLevel

        with self._connected() as keeper:
            keeper.isolation_level = IsolationLevel.REPEATABLE_READ
            written = ".".join(quoted(part) for part in str(self.table).split("."))
            pages = "pg_relation_size(%s::regclass) / current_setting('block_size')::int"
            snapshot, count = keeper.execute(f"SELECT pg_export_snapshot(), {pages}".encode(), (written,)).fetchall()[0]

            def part(pages_of_it: str) -> Iterator[pa.RecordBatch]:
                selected = f"{self._select} WHERE {pages_of_it}" if pages_of_it else self._select
                return batches(self.address, selected, columns, self.origin, condition, snapshot=str(snapshot))

            yield from side_by_side(page_ranges(int(count), self.parallel), part)


def _named(connection: psycopg.Connection[tuple[Any, ...]], columns: Sequence[PostgresColumn]) -> Iterator[PostgresColumn]:
    """The columns, with the names of those types that come as text though they are something else: not enums, which are words."""
    foreign = [column.oid for column in columns if column.disordered and column.oid != NUMERIC]
    known = "SELECT oid::bigint, format_type(oid, NULL) FROM pg_type WHERE oid::bigint = ANY(%s) AND typtype <> 'e'"
    names: dict[int, str] = dict(connection.execute(known, (foreign,)).fetchall()) if foreign else {}
    yield from (replace(column, there=names.get(column.oid, "")) for column in columns)


def page_ranges(pages: int, parts: int) -> Sequence[str]:
    """Conditions that part a table of so many pages as evenly as can be. The last is open, and there is at least one."""
    parts = max(1, min(parts, pages))
    bounds = [pages * n // parts for n in range(parts)]
    made = []
    for number, low in enumerate(bounds):
        upper = f" AND ctid < '({bounds[number + 1]},0)'" if number + 1 < parts else ""
        made.append(f"ctid >= '({low},0)'{upper}")
    return made
