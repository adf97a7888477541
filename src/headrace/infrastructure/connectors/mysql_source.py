"""The source `mysql`: a table or query of MySQL or MariaDB, read into Arrow within one read-only snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.mysql_columns import MySQLColumn, select, text_literal, ticked
from headrace.infrastructure.connectors.mysql_connection import ReachedMySQL, asked
from headrace.infrastructure.connectors.mysql_faults import mysql_faults
from headrace.infrastructure.connectors.mysql_parallel import Waiting, demand_snapshots, key_ranges, snapshots, whole_number_key
from headrace.infrastructure.connectors.mysql_reading import batches, snapshot
from headrace.infrastructure.connectors.side_by_side import side_by_side
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.formats.arrow_union import needs_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql


class MySQLSource(ReachedMySQL):
    """A table or query of a MySQL or MariaDB database."""

    kind: ClassVar[str] = "mysql"
    bounded: ClassVar[bool] = True

    table: str | None = Field(None, description=f"The table or view, or `database.table`; {ONE_OF}")
    query: str | None = Field(None, description=f"A SELECT in the server's dialect; {ONE_OF}")
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Over how many connections to read a table at once, each by ranges of its primary key, all of one moment"
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.parallel > 1 and self.query is not None:
            raise ValueError("`parallel` parts a table by its primary key: give `table`, or leave it out")
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"mysql ({self.table})" if self.table else "mysql (query)"

    def scan(self, project: Path) -> ArrowScan:  # noqa: ARG002 - a server is where it is
        needs_pyarrow("MySQL", "mysql", "pymysql")
        columns = self._columns()
        named = {column.name: column for column in columns}

        def whose(condition: str = "true") -> ArrowScan:
            return ArrowScan(
                Schema(tuple(Column(c.name, c.type) for c in columns)),
                open=lambda: self._opened(columns, condition),
                origin=self.origin,
                notes=tuple(c.note for c in columns if c.note),
                disordered=frozenset(c.name for c in columns if c.disordered),
                by_cursor=lambda name, value: None if value is None else whose(named[name].by_cursor(value)),
            )

        return whose()

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table."""
        needs_pyarrow("MySQL", "mysql", "pymysql")
        done = int(after or 0)
        for batch in self._batches(self._columns(), skip=done):
            done += batch.num_rows
            yield Batch(batch, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _select(self) -> str:
        if self.query is not None:
            return bare(self.query)
        return f"SELECT * FROM {self._written}"

    @property
    def _written(self) -> str:
        return ".".join(ticked(part) for part in str(self.table).split("."))

    def _columns(self) -> tuple[MySQLColumn, ...]:
        """The columns of the result, of which no row is asked for."""
        with mysql_faults(self.origin), self.connect() as connection, connection.cursor() as cursor:
            self._demand_table(connection)
            cursor.execute(f"SELECT * FROM ({self._select}\n) AS source LIMIT 0")
            # Whether a number has a sign, and whether a text is one, the driver tells nowhere else.
            fields = cursor._result.fields  # noqa: SLF001
        return tuple(MySQLColumn(f.name, f.type_code, f.flags, f.charsetnr, f.length, f.scale) for f in fields)

    @property
    def _named(self) -> tuple[str, str]:
        """The database, as an expression of SQL, and the name of the table."""
        database, _, table = str(self.table).rpartition(".")
        return text_literal(database) if database else "database()", table

    def _demand_table(self, connection: pymysql.Connection[Any]) -> None:
        if self.table is None:
            return
        schema, table = self._named
        listed = "SELECT table_name FROM information_schema.tables WHERE "
        if not asked(connection, f"{listed} table_schema = {schema} AND table_name = {text_literal(table)}"):
            names = [str(row[0]) for row in asked(connection, f"{listed} table_schema = {schema} ORDER BY 1")]
            raise NonRetryableError(f"mysql has no table `{self.table}`", hint=did_you_mean(table, names))
        if self.parallel > 1:
            demand_snapshots(connection, schema, table)
            whole_number_key(connection, schema, table)

    def _opened(self, columns: Sequence[MySQLColumn], condition: str) -> Iterator[pa.RecordBatch]:
        if self.parallel == 1:
            yield from self._batches(columns, condition)
            return
        with mysql_faults(self.origin), snapshots(self.connect, self._written, self.parallel, self.origin) as connections:
            waiting = Waiting(self._ranges(connections[0]))

            def part(connection: pymysql.Connection[Any]) -> Iterator[pa.RecordBatch]:
                for keys in waiting:
                    query = select(columns, f"{self._select} WHERE {keys}", condition)
                    yield from batches(connection, query, columns, self.origin)

            yield from side_by_side(connections, part)

    def _ranges(self, connection: pymysql.Connection[Any]) -> Sequence[str]:
        """Conditions on the key, in the snapshot of a connection."""
        key = whole_number_key(connection, *self._named)
        lowest, highest = asked(
            connection, f"SELECT CAST(MIN({ticked(key)}) AS CHAR), CAST(MAX({ticked(key)}) AS CHAR) FROM {self._written}"
        )[0]
        bounds = None if lowest is None else (int(lowest), int(highest))
        return key_ranges(ticked(key), bounds, self.parallel)

    def _batches(self, columns: Sequence[MySQLColumn], condition: str = "true", skip: int = 0) -> Iterator[pa.RecordBatch]:
        query = select(columns, self._select, condition) + (f" LIMIT {2**63} OFFSET {int(skip)}" if skip else "")
        with mysql_faults(self.origin), snapshot(self.connect) as connection:
            yield from batches(connection, query, columns, self.origin)
