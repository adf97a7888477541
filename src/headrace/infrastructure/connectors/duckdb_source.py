"""The source `duckdb`: a table or query of a DuckDB file, opened read-only. The engine reads it; here it is only looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import Date, Float, Timestamp
from headrace.business.ports import Batch, DuckDBScan, Position
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_listing import list_files
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.duckdb_connection import Connection, connect
from headrace.infrastructure.foreign_types import ForeignColumn, describe, notes_of, schema_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.sql_text import literal, quoted

_BATCH_ROWS = 20_000


class DuckDBSource(Plugin):
    """A table or query of a DuckDB file."""

    kind: ClassVar[str] = "duckdb"
    bounded: ClassVar[bool] = True

    path: Annotated[str, Field(min_length=1, description="The DuckDB file")]
    table: str | None = Field(
        None, description=f"The table or view, with its schema when that is not main: sales.orders; {ONE_OF}"
    )
    query: Sql | None = Field(None, description=f"A SELECT in DuckDB's dialect; it can read nothing but this file; {ONE_OF}")

    @model_validator(mode="after")
    def _either(self) -> Self:
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"{self.path} ({self.table})" if self.table else self.path

    def scan(self, project: Path) -> DuckDBScan:
        with self._connected(project) as con:
            columns = self._columns(con)
        schema, path, named = schema_of(columns), self._file(project), {column.name: column for column in columns}

        def by_cursor(name: str, value: str | None) -> DuckDBScan | None:
            if value is None:
                return None
            at, kind = named[name].expression, named[name].type
            endless = f" OR {at} = '-infinity'" if isinstance(kind, Date | Timestamp | Float) else ""
            reached = f"{at} >= CAST({literal(value)} AS {duckdb_type(kind)}) OR {at} IS NULL{endless}"
            return DuckDBScan(schema, path=path, query=f"SELECT * FROM ({self._select}\n) WHERE {reached}")

        return DuckDBScan(schema, path=path, query=self._select, notes=notes_of(columns), by_cursor=by_cursor)

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - a table is one partition, wherever it is
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table."""
        needs_pyarrow("DuckDB files batch by batch")
        done = int(after or 0)
        with self._connected(project) as con:
            selected = ", ".join(f"{c.expression} AS {quoted(c.name)}" for c in self._columns(con))
            query = f"SELECT {selected} FROM ({self._select}\n) LIMIT {2**62} OFFSET {done}"
            for rows in con.arrow_batches(query, _BATCH_ROWS)[1]:
                done += rows.num_rows
                yield Batch(rows, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _select(self) -> str:
        if self.query is not None:
            return bare(self.query)
        return f"SELECT * FROM {'.'.join(quoted(part) for part in str(self.table).split('.'))}"

    def _file(self, project: Path) -> str:
        return list_files(project, [self.path])[0].path

    @contextmanager
    def _connected(self, project: Path) -> Iterator[Connection]:
        """A connection that can read this file and nothing else, so that a query that is planned here does no more later."""
        import duckdb

        file = self._file(project)
        try:
            with connect(file, access_mode="READ_ONLY", enable_external_access=False) as con:
                yield con
        except duckdb.CatalogException as error:
            raise NonRetryableError(
                f"`{self.path}`: {_said(error)}", hint=_suggestion(error) or "see that it is named as it is in the file"
            ) from error
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise RetryableError(
                    f"`{self.path}` is being written to by another process", hint="run again when it is done"
                ) from error
            raise NonRetryableError(
                f"`{self.path}` cannot be opened: {_said(error)}", hint="see that it is a DuckDB file"
            ) from error
        except duckdb.Error as error:
            raise NonRetryableError(
                f"`{self.path}`: {_said(error)}", hint="see that the query runs in DuckDB, and reads only this file"
            ) from error

    def _columns(self, con: Connection) -> tuple[ForeignColumn, ...]:
        import duckdb

        if self.query is not None:
            statements = con.extract_statements(self.query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise NonRetryableError(
                    f"the query on `{self.path}` is not a single SELECT", hint="write one SELECT, without a semicolon behind it"
                )
        else:
            self._demand_table(con)
        return describe(con, f"SELECT * FROM ({self._select}\n)", self.origin)

    def _demand_table(self, con: Connection) -> None:
        rows = con.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database()"
        ).fetchall()
        names = {name if schema == "main" else f"{schema}.{name}" for schema, name in rows}
        wanted = str(self.table)
        if wanted.lower().removeprefix("main.") not in {name.lower() for name in names}:
            raise NonRetryableError(f"`{self.path}` has no table `{wanted}`", hint=did_you_mean(wanted, sorted(names)))


def _said(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return first.partition(": ")[2] or first


def _suggestion(error: Exception) -> str | None:
    return next((line.strip() for line in str(error).splitlines() if line.startswith(("Did you mean", "Candidate"))), None)
