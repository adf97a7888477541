"""The statements of a stream: each prepared once, and its inputs registered once, so that a micro-batch costs what its rows cost.

A prepared statement keeps its plan as long as nothing is created or dropped. So rows come in through `Inlet`s, which are registered for
good and give out whatever they hold at the moment, and tables are filled and emptied, never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.processing.expressions.ir import Call
from headrace.business.processing.relation import Relation
from headrace.business.streams.groups import BEFORE, HORIZON, Given
from headrace.business.streams.slots import SLOT_OF, SLOT_TYPE, SLOTS
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.connection import first_line
from headrace.infrastructure.engines.duckdb.dialect import DIALECT
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.stream_sketches import FUNCTIONS
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.statement import with_clause
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


#: What statements are told each time that they are carried out.
_VALUES = (*(str(given.value.name) for given in (HORIZON, BEFORE)), "first", "last")


def _slot(_call: Call, args: Sequence[str]) -> str:
    return slot_sql(args)


def slot_sql(values: Sequence[str]) -> str:
    """The slot of a row that has these values."""
    return f"CAST(hash({', '.join(values)}) % {SLOTS} AS {duckdb_type(SLOT_TYPE)})"


def _literal(value: Any, kind: DataType) -> str:
    return f"CAST(${value.name} AS {duckdb_type(kind)})" if isinstance(value, Given) else literal(value, kind)


_DIALECT = replace(DIALECT, literal=_literal, functions={**DIALECT.functions, **FUNCTIONS, SLOT_OF: _slot})


#: So few rows, on an average, make it worth copying them.
_BIT = 2_000


class Inlet:
    """Rows under a name that statements read: those that it holds at the moment."""

    def __init__(self, name: str, nothing: pa.Table) -> None:
        self.name, self._nothing = name, nothing
        self._rows = nothing

    @property
    def schema(self) -> pa.Schema:
        return self._nothing.schema

    @property
    def sql(self) -> str:
        return identifier(self.name)

    def hold(self, rows: pa.Table | pa.RecordBatch | None) -> None:
        """What is to be read from now on; None for nothing. Columns go by their order."""
        self._rows = self._nothing if rows is None else _in_one(rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


def _in_one(rows: pa.Table | pa.RecordBatch) -> pa.Table | pa.RecordBatch:
    """Rows that came bit by bit, side by side: DuckDB takes a tenth of a millisecond for each bit, whatever is in it."""
    bits = max((getattr(column, "num_chunks", 1) for column in rows.columns), default=1)
    return rows.combine_chunks() if bits > 1 and rows.num_rows < bits * _BIT else rows


@record
class Prepared:
    """A prepared statement, and which values it takes."""

    name: str
    takes: tuple[str, ...]


class Statements:
    """The connection of a stream, with what is prepared on it."""

    def __init__(self, con: Connection) -> None:
        self.con = con
        self._prepared = 0

    def inlet(self, name: str, schema: Schema) -> Inlet:
        """An inlet for rows of a schema."""
        return self.inlet_like(name, self.nothing(schema))

    def inlet_like(self, name: str, nothing: pa.Table) -> Inlet:
        made = Inlet(name, nothing)
        self.con.register(name, made)
        return made

    def nothing(self, schema: Schema) -> pa.Table:
        """No rows of a schema, in the types in which DuckDB gives rows out."""
        columns = ", ".join(f"CAST(NULL AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
        return self.con.arrow_table(f"SELECT {columns} WHERE false")

    def table(self, name: str, schema: Schema) -> str:
        """A table that grows and shrinks with the stream; as SQL. It spills to disk where memory ends."""
        columns = ", ".join(f"{identifier(c.name)} {duckdb_type(c.type)}" for c in schema)
        self.con.execute(f"CREATE TEMP TABLE {identifier(name)} ({columns})")
        return identifier(name)

    def prepare(self, sql: str) -> Prepared:
        """A statement that is ready to be carried out."""
        self._prepared += 1
        name = f"statement_{self._prepared}"
        self.con.execute(f"PREPARE {name} AS {sql}")
        return Prepared(name, tuple(value for value in _VALUES if f"CAST(${value} AS" in sql))

    def rows(self, prepared: Prepared, **given: int) -> pa.Table:
        """What a prepared statement gives."""
        try:
            return self.con.prepared_table(_execute(prepared, given))
        except duckdb.Error as error:
            raise _failed(error) from error

    def run(self, prepared: Prepared, **given: int) -> None:
        try:
            self.con.execute(_execute(prepared, given)).fetchall()
        except duckdb.Error as error:
            raise _failed(error) from error


def query(steps: Mapping[str, Relation], wanted: Relation, tables: Mapping[str, str]) -> str:
    """The rows of a relation over steps; what is in `tables` is read from there."""
    columns = ", ".join(identifier(c.name) for c in wanted.schema)
    return f"SELECT {columns} FROM ({with_clause(_DIALECT, [*steps.items(), (_WANTED, wanted)], _WANTED, tables)})"


_WANTED = "#:wanted"


def _execute(prepared: Prepared, given: dict[str, int]) -> str:
    values = ", ".join(f"{name} := {int(given[name])}" for name in prepared.takes)
    return f"EXECUTE {prepared.name}({values})" if values else f"EXECUTE {prepared.name}"


def _failed(error: duckdb.Error) -> BaseException:
    if isinstance(error, duckdb.InterruptException):
        return KeyboardInterrupt()
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "raise `memory_limit` or `temp_limit` in headrace.toml, or give it a `temp_directory` with more room"
        return NonRetryableError(f"the stream needs more memory than it may use: {first_line(error)}", hint=hint)
    return NonRetryableError(f"the stream cannot go on: {first_line(error)}", hint="see which rows it read last")
