"""The source `sqlite`: a table or query of an SQLite file, opened read-only.

SQLite gives types to values, not to columns. A column of whole numbers is `int64`; of floats, or of both where no whole number
is too large for a float, `float64`; of text `string`; of binary `binary`. A column that is declared as BOOLEAN and holds nothing
but 0 and 1 is `boolean`. A column with numbers and text is text. One with no values has the type that its declaration suggests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import Binary, Boolean, DataType, Float, Integer, String
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_listing import list_files
from headrace.infrastructure.connectors.table_or_query import ONE_OF, bare, exactly_one
from headrace.infrastructure.foreign_types import arrow_type
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.sql_text import literal, quoted

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 20_000

#: A float holds every whole number up to this one.
_EXACT = 2**53

#: What a query may do. Everything else, such as ATTACH, PRAGMA or load_extension, is refused before it runs.
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}

_LATER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}


class SQLiteSource(Plugin):
    """A table or query of an SQLite file."""

    kind: ClassVar[str] = "sqlite"
    bounded: ClassVar[bool] = True

    path: Annotated[str, Field(min_length=1, description="The SQLite file")]
    table: str | None = Field(None, description=f"The table or view; {ONE_OF}")
    query: Sql | None = Field(None, description=f"A SELECT in SQLite's dialect; {ONE_OF}")

    @model_validator(mode="after")
    def _either(self) -> Self:
        return exactly_one(self, self.table, self.query)

    @property
    def origin(self) -> str:
        return f"{self.path} ({self.table})" if self.table else self.path

    def scan(self, project: Path) -> ArrowScan:
        needs_pyarrow("SQLite files")
        schema = self.schema_of(project)

        def whose(condition: str = "true") -> ArrowScan:
            return ArrowScan(
                schema,
                open=lambda: self._batches(project, schema, condition),
                origin=self.origin,
                by_cursor=lambda name, value: None if value is None else whose(_not_below(schema[name], value)),
            )

        return whose()

    def schema_of(self, project: Path) -> Schema:
        with self._connected(project) as con:
            declared = self._declared(con)
            con.set_authorizer(_authorized)
            names = [column[0] for column in con.execute(f"{self._select} LIMIT 0").description]
            return Schema(tuple(Column(n, k) for n, k in _types(con, f"({self._inner})", names, declared, self.origin)))

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - a table is one partition, wherever it is
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far; it means the same rows as long as nobody changes the table."""
        needs_pyarrow("SQLite files")
        done = int(after or 0)
        for batch in self._batches(project, self.schema_of(project), skip=done):
            done += batch.num_rows
            yield Batch(batch, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _inner(self) -> str:
        return f"SELECT * FROM {quoted(self.table)}" if self.table else f"{bare(str(self.query))}\n"

    @property
    def _select(self) -> str:
        return f"SELECT * FROM ({self._inner})"

    @contextmanager
    def _connected(self, project: Path) -> Iterator[sqlite3.Connection]:
        file = list_files(project, [self.path])[0]
        try:
            with closing(
                sqlite3.connect(f"file:{quote(file.path)}?mode=ro", uri=True, timeout=30, check_same_thread=False)
            ) as con:
                self._demand_table(con)
                yield con
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _demand_table(self, con: sqlite3.Connection) -> None:
        if self.table is None:
            return
        names = [row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        if self.table.lower() not in (name.lower() for name in names):
            raise NonRetryableError(f"`{self.path}` has no table `{self.table}`", hint=did_you_mean(self.table, names))

    def _explained(self, error: sqlite3.Error) -> NonRetryableError | RetryableError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _LATER:
            return RetryableError(f"`{self.path}`: {error}", hint="see that no other process holds it locked")
        if code == sqlite3.SQLITE_AUTH or "not authorized" in str(error):
            return NonRetryableError(
                f"the query on `{self.path}` does more than to select: {error}", hint="write a single SELECT"
            )
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return NonRetryableError(
                f"`{self.path}` is no SQLite file, or is damaged: {error}", hint="`PRAGMA integrity_check` in sqlite3 says more"
            )
        return NonRetryableError(
            f"`{self.path}`: {error}", hint="see that tables and columns are named as they are in the file"
        )

    def _declared(self, con: sqlite3.Connection) -> dict[str, str]:
        if self.table is None:
            return {}
        return {
            name: str(kind).upper() for name, kind in con.execute("SELECT name, type FROM pragma_table_info(?)", (self.table,))
        }

    def _batches(self, project: Path, schema: Schema, condition: str = "true", skip: int = 0) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        target = pa.schema([pa.field(c.name, arrow_type(c.type)) for c in schema])
        with self._connected(project) as con:
            con.set_authorizer(_authorized)
            con.text_factory = bytes
            found = con.execute(f"{self._select} WHERE {condition} LIMIT -1 OFFSET {int(skip)}")
            while rows := found.fetchmany(_BATCH_ROWS):
                columns = zip(schema, zip(*rows, strict=True), strict=True)
                yield pa.RecordBatch.from_arrays([self._array(c, values) for c, values in columns], schema=target)

    def _array(self, column: Column, values: Sequence[Any]) -> pa.Array:
        import pyarrow as pa

        try:
            return pa.array([_value(value, column.type) for value in values], arrow_type(column.type))
        except UnicodeDecodeError as error:
            raise NonRetryableError(
                f"`{column.name}` in {self.origin} holds text that is not UTF-8",
                hint=f"read it as binary with a query: CAST({column.name} AS BLOB)",
            ) from error
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise RetryableError(
                f"`{column.name}` in {self.origin} no longer holds {column.type} alone", hint="run again: it was changed"
            ) from error


def _not_below(column: Column, value: str) -> str:
    """A condition: the column is not below a value, as the values of its type compare here and not as SQLite compares what differs in
    kind. What cannot be compared so comes as well."""
    name = quoted(column.name)
    if isinstance(column.type, String):
        return f"({name} IS NULL OR typeof({name}) <> 'text' OR {name} COLLATE BINARY >= {literal(value)})"
    kind = "INTEGER" if isinstance(column.type, Integer) else "REAL"
    return f"({name} IS NULL OR {name} >= CAST({literal(value)} AS {kind}) OR {name} = -9e999)"


def _authorized(action: int, _first: str | None, second: str | None, *_: Any) -> int:
    harmful = action == sqlite3.SQLITE_FUNCTION and str(second).lower() == "load_extension"
    return sqlite3.SQLITE_OK if action in _ALLOWED and not harmful else sqlite3.SQLITE_DENY


def _types(
    con: sqlite3.Connection, relation: str, names: Sequence[str], declared: dict[str, str], origin: str
) -> Iterator[tuple[str, DataType]]:
    """The type of each column, from what it holds, in one pass over the table for many columns."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise NonRetryableError(f"the query on {origin} gives two columns `{twice}`", hint="name one of them with AS")
    for start in range(0, len(names), _COLUMNS_A_PASS):
        part = names[start : start + _COLUMNS_A_PASS]
        measures = ", ".join(_measures(quoted(name)) for name in part)
        row = con.execute(f"SELECT {measures} FROM {relation}").fetchone()
        for i, name in enumerate(part):
            yield name, _type(name, row[i * _MEASURES : (i + 1) * _MEASURES], declared.get(name, ""), origin)


_MEASURES = 6
#: SQLite takes 2,000 result columns at most.
_COLUMNS_A_PASS = 300


def _measures(column: str) -> str:
    """What a column holds: whole numbers, floats, text, binary; the largest whole number by size; and whether all are 0 or 1."""
    kinds = [f"max(typeof({column}) = '{kind}')" for kind in ("integer", "real", "text", "blob")]
    # abs() of the lowest integer is an error, so the bounds are taken one by one.
    size = f"max(typeof({column}) = 'integer' AND ({column} > {_EXACT} OR {column} < -{_EXACT}))"
    return ", ".join([*kinds, size, f"min({column} IN (0, 1))"])


def _type(name: str, measured: Sequence[Any], declared: str, origin: str) -> DataType:
    whole, real, text, blob, large, truth = measured
    if blob and (whole or real or text):
        raise NonRetryableError(
            f"`{name}` in {origin} holds both binary and other values",
            hint="choose one of them in a `query` with CAST or typeof()",
        )
    if not (whole or real or text or blob):
        return _declared_type(declared)
    if blob:
        return Binary()
    if text or (real and large):
        return String()
    if real:
        return Float()
    return Boolean() if truth and "BOOL" in declared else Integer()


def _declared_type(declared: str) -> DataType:
    """The type that SQLite's rules of affinity give a declaration."""
    if "BOOL" in declared:
        return Boolean()
    if "INT" in declared:
        return Integer()
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return Float()
    return Binary() if declared == "BLOB" else String()


def _value(value: Any, kind: DataType) -> Any:
    match kind:
        case String():
            return value.decode() if isinstance(value, bytes) else None if value is None else str(value)
        case Boolean():
            return None if value is None else {0: False, 1: True}[value]
        case Float():
            return None if value is None else float(value)
        case _:
            return value
