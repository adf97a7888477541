"""The source `snowflake`: a table or query of Snowflake, read as the Arrow batches that the server makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.inside import DatabaseScan
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.ports import Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.snowflake_connection import ReachedSnowflake
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.snowflake.catalog import tables_like
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import path
from headrace.infrastructure.snowflake.reading import SnowflakeColumn, batches, described, schema_of, selecting

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection


class SnowflakeSource(ReachedSnowflake):
    """A table or query of a Snowflake database."""

    kind: ClassVar[str] = "snowflake"
    bounded: ClassVar[bool] = True

    table: str | None = Field(
        None, description=f"The table or view: `table`, `schema.table` or `database.schema.table`; {ONE_OF}"
    )
    query: str | None = Field(None, description=f"A SELECT in Snowflake's dialect; {ONE_OF}")

    @model_validator(mode="after")
    def _either(self) -> Self:
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"snowflake ({self.table})" if self.table else "snowflake (query)"

    def scan(self, project: Path) -> DatabaseScan:  # noqa: ARG002 - a server is where it is
        needs_pyarrow("Snowflake", "snowflake", "snowflake")
        columns = self._columns()
        return DatabaseScan(
            schema_of(columns),
            open=lambda: self._batches(columns),
            origin=self.origin,
            notes=tuple(c.note for c in columns if c.note),
            database=self.account.identity,
            query=selecting(columns, self._select),
        )

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table and the query
        orders them."""
        needs_pyarrow("Snowflake", "snowflake", "snowflake")
        left = int(after or 0)
        done = left
        for batch in self._batches(self._columns()):
            skipped = min(left, batch.num_rows)
            left -= skipped
            if rest := batch.num_rows - skipped:
                done += rest
                yield Batch(batch.slice(skipped), Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _select(self) -> str:
        return bare(self.query) if self.query is not None else f"SELECT * FROM {path(str(self.table))}"

    def _columns(self) -> tuple[SnowflakeColumn, ...]:
        with closing(self.account.connect()) as connection, snowflake_faults(self.origin):
            self._demand_table(connection)
            return described(connection, self._select, self.origin)

    def _demand_table(self, connection: SnowflakeConnection) -> None:
        if self.table is None:
            return
        there, others = tables_like(connection, self.table)
        if not there:
            raise NonRetryableError(f"snowflake has no table `{self.table}`", hint=did_you_mean(self.table, others))

    def _batches(self, columns: Sequence[SnowflakeColumn]) -> Iterator[pa.RecordBatch]:
        with closing(self.account.connect()) as connection, snowflake_faults(self.origin):
            yield from batches(connection, selecting(columns, self._select), schema_of(columns), self.origin)
