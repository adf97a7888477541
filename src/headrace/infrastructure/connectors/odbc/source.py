"""The source `odbc`: a table or query of whatever has a driver of ODBC, fetched in bulk into Arrow by one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.odbc.columns import Dialect
from headrace.infrastructure.connectors.odbc.connection import ReachedOdbc, needs_odbc
from headrace.infrastructure.connectors.odbc.dialects import LONGEST, dialect_of, told
from headrace.infrastructure.connectors.odbc.drivers import Described, Link, OdbcError
from headrace.infrastructure.connectors.odbc.faults import NO_TABLE
from headrace.infrastructure.connectors.odbc.reading import Reading
from headrace.infrastructure.connectors.odbc.waiting import waited_for
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one

if TYPE_CHECKING:
    import pyarrow as pa


class OdbcSource(ReachedOdbc):
    """A table or query of a database that has a driver of ODBC."""

    kind: ClassVar[str] = "odbc"
    bounded: ClassVar[bool] = True

    table: str | None = Field(None, description=f"The table or view, with its schema or database where it needs one; {ONE_OF}")
    query: str | None = Field(None, description=f"A SELECT in the database's dialect; {ONE_OF}")
    longest_value: Annotated[int, Field(ge=1, le=1 << 28)] = Field(
        LONGEST,
        description="How many bytes a text or binary value may have, where its column sets no lower bound; a longer one is refused, "
        "not cut. Each row that is fetched takes so much room for each such column",
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"odbc ({self.table})" if self.table else "odbc (query)"

    def scan(self, project: Path) -> ArrowScan:  # noqa: ARG002 - a server is where it is
        reading = waited_for(self._look)
        columns = {column.name: column for column in reading.columns}

        def whose(condition: str = "", value: str = "") -> ArrowScan:
            return ArrowScan(
                Schema(tuple(Column(c.name, c.type) for c in reading.columns)),
                open=lambda: self._batches(reading, condition, value),
                origin=self.origin,
                notes=tuple(c.note for c in reading.columns if c.note),
                disordered=frozenset(c.name for c in reading.columns if c.disordered),
                by_cursor=by_cursor,
            )

        def by_cursor(name: str, value: str | None) -> ArrowScan | None:
            reached = columns[name].reached
            if value is None or not reached or not self._can_be_asked(reading.dialect):
                return None
            return whose(reached, value.removesuffix("+00"))

        return whose()

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table."""
        left = int(after or 0)
        done = left
        for batch in self._batches(waited_for(self._look)):
            skipped = min(left, batch.num_rows)
            left -= skipped
            if rest := batch.num_rows - skipped:
                done += rest
                yield Batch(batch.slice(skipped), Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    def _look(self) -> Reading:
        """Who answers, and how the columns of the result come."""
        needs_odbc()
        with self.reached.linked(self.origin) as link:
            who = link.answering()
            dialect = dialect_of(who, self.longest_value)
            settings = told(who.driver, self.longest_value)
            described = None if settings else self._described(link, dialect)
        if described is None:
            with self.reached.linked(self.origin, **settings) as link:
                described = self._described(link, dialect)
        return Reading(self.reached, who.driver, dialect, tuple(map(dialect.column, described)), self.origin)

    def _described(self, link: Link, dialect: Dialect) -> Sequence[Described]:
        try:
            found = link.describe(self._selected(dialect, "*"))
        except OdbcError as error:
            if self.table is None or error.diagnoses[0].state not in NO_TABLE:
                raise
            raise NonRetryableError(
                f"odbc has no table `{self.table}`", hint=did_you_mean(self.table, link.tables())
            ) from error
        if not found:
            raise NonRetryableError(f"{self.origin}: it gives no columns", hint="write a SELECT")
        names = [column.name for column in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise NonRetryableError(f"{self.origin}: it gives two columns `{twice}`", hint="name one of them with AS")
        return found

    def _selected(self, dialect: Dialect, cells: str) -> str:
        """A statement of these cells of the table, or of the query. Where a query cannot be part of another it stands as it is."""
        if self.table is not None:
            written = ".".join(dialect.quoted(part) for part in self.table.split("."))
            return f"SELECT {cells} FROM {written}"
        query = bare(str(self.query))
        return f"SELECT {cells} FROM ({query}\n) source" if dialect.nested else query

    def _can_be_asked(self, dialect: Dialect) -> bool:
        """Whether a condition can be put to the table or query."""
        return self.table is not None or dialect.nested

    def _batches(self, reading: Reading, condition: str = "", value: str = "") -> Iterator[pa.RecordBatch]:
        dialect = reading.dialect
        cells = ", ".join(
            column.expression
            if column.expression == dialect.quoted(column.name)
            else f"{column.expression} AS {dialect.quoted(column.name)}"
            for column in reading.columns
        )
        statement = self._selected(dialect, cells)
        if condition:
            return reading.batches(f"{statement} WHERE {condition}", [value])
        return reading.batches(statement)
