"""The source `mysql`: a table or query of MySQL or MariaDB, read into Arrow within one read-only snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.mysql_columns import MySQLColumn, parsed, select, text_literal, ticked
from headrace.infrastructure.connectors.mysql_connection import ReachedMySQL, asked
from headrace.infrastructure.connectors.mysql_faults import mysql_faults
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.foreign_types import arrow_type
from headrace.infrastructure.formats.arrow_union import needs_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql

#: So much text is parsed at a time, and so many rows are asked of the driver at a time.
_BLOCK = 4 << 20
_ROWS = 200

_SETTINGS = (
    "SET SESSION time_zone = '+00:00', SESSION net_write_timeout = 3600",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


class MySQLSource(ReachedMySQL):
    """A table or query of a MySQL or MariaDB database."""

    kind: ClassVar[str] = "mysql"
    bounded: ClassVar[bool] = True

    table: str | None = Field(None, description=f"The table or view, or `database.table`; {ONE_OF}")
    query: str | None = Field(None, description=f"A SELECT in the server's dialect; {ONE_OF}")

    @model_validator(mode="after")
    def _either(self) -> Self:
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
                open=lambda: self._batches(columns, condition),
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
        return f"SELECT * FROM {'.'.join(ticked(part) for part in str(self.table).split('.'))}"

    def _columns(self) -> tuple[MySQLColumn, ...]:
        """The columns of the result, of which no row is asked for."""
        with mysql_faults(self.origin), self.connect() as connection, connection.cursor() as cursor:
            self._demand_table(connection)
            cursor.execute(f"SELECT * FROM ({self._select}\n) AS source LIMIT 0")
            # Whether a number has a sign, and whether a text is one, the driver tells nowhere else.
            fields = cursor._result.fields  # noqa: SLF001
        return tuple(MySQLColumn(f.name, f.type_code, f.flags, f.charsetnr, f.length, f.scale) for f in fields)

    def _demand_table(self, connection: pymysql.Connection[Any]) -> None:
        if self.table is None:
            return
        database, _, table = self.table.rpartition(".")
        schema = text_literal(database) if database else "database()"
        listed = "SELECT table_name FROM information_schema.tables WHERE "
        if not asked(connection, f"{listed} table_schema = {schema} AND table_name = {text_literal(table)}"):
            names = [str(row[0]) for row in asked(connection, f"{listed} table_schema = {schema} ORDER BY 1")]
            raise NonRetryableError(f"mysql has no table `{self.table}`", hint=did_you_mean(table, names))

    def _batches(self, columns: Sequence[MySQLColumn], condition: str = "true", skip: int = 0) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pymysql.cursors import SSCursor

        schema = pa.schema([pa.field(c.name, arrow_type(c.type)) for c in columns])
        query = select(columns, self._select, condition) + (f" LIMIT {2**63} OFFSET {int(skip)}" if skip else "")
        with mysql_faults(self.origin):
            connection = self.connect(cursorclass=SSCursor, use_unicode=False)
            try:
                for setting in _SETTINGS:
                    connection.query(setting)
                cursor = connection.cursor()
                cursor.execute(query)
                lines: list[bytes] = []
                size = 0
                while rows := cursor.fetchmany(_ROWS):
                    for (line,) in rows:
                        if line is None:
                            raise self._too_large()
                        lines.append(line)
                        size += len(line)
                    if size >= _BLOCK:
                        yield self._parsed(columns, lines, schema)
                        lines, size = [], 0
                if lines:
                    yield self._parsed(columns, lines, schema)
            finally:
                _break_off(connection)

    def _parsed(self, columns: Sequence[MySQLColumn], lines: Sequence[bytes], schema: pa.Schema) -> pa.RecordBatch:
        import pyarrow as pa

        try:
            return parsed(columns, b"\n".join(lines) + b"\n", schema)
        except pa.ArrowInvalid as error:
            said = str(error).partition("\n")[0]
            hint = (
                "the server allows what is no value elsewhere: select it otherwise with `query`, such as NULLIF(day, '0000-00-00'), "
                "or TIME_TO_SEC(t) for times beyond 24 hours"
            )
            raise NonRetryableError(f"{self.origin}: {said}", hint=hint) from error

    def _too_large(self) -> NonRetryableError:
        return NonRetryableError(
            f"{self.origin}: a row is larger than the server's `max_allowed_packet`",
            hint="raise it there, or leave a column out",
        )


def _break_off(connection: Any) -> None:
    """Close a connection without first reading all rows that are left, as the driver would."""
    if connection._result is not None:  # noqa: SLF001
        connection._result.unbuffered_active = False  # noqa: SLF001
    connection._force_close()  # noqa: SLF001
