"""Reads the types of DuckDB and of Arrow as ours, exactly or not at all. Not how our types are written for an engine.

What has no equal among our types, but fits one without loss, comes with a conversion: a UUID becomes text, a map JSON. The one
loss is time finer than a microsecond, which is cut off, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Interval,
    Json,
    List,
    String,
    Struct,
    Time,
    Timestamp,
)
from headrace.business.ports import PROVENANCE
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.duckdb_lending import lent
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

_SAME: dict[str, DataType] = {
    "BOOLEAN": Boolean(), "VARCHAR": String(), "BLOB": Binary(), "DATE": Date(), "TIME": Time(), "TIMESTAMP": Timestamp(),
    "TIMESTAMP WITH TIME ZONE": Timestamp(zone=True), "INTERVAL": Interval(), "JSON": Json(), "FLOAT": Float(32), "DOUBLE": Float(64),
    "TINYINT": Integer(8), "SMALLINT": Integer(16), "INTEGER": Integer(32), "BIGINT": Integer(64), "HUGEINT": Integer(128),
    "UTINYINT": Integer(8, False), "USMALLINT": Integer(16, False), "UINTEGER": Integer(32, False), "UBIGINT": Integer(64, False),
    "UHUGEINT": Integer(128, False),
}  # fmt: skip

_CAST: dict[str, tuple[DataType, str]] = {
    "UUID": (String(), "VARCHAR"), '"NULL"': (String(), "VARCHAR"), "TIMESTAMP_S": (Timestamp(), "TIMESTAMP"),
    "TIMESTAMP_MS": (Timestamp(), "TIMESTAMP"), "TIMESTAMP_NS": (Timestamp(), "TIMESTAMP"), "TIME_NS": (Time(), "TIME"),
    "TIMESTAMPTZ_NS": (Timestamp(zone=True), "TIMESTAMP WITH TIME ZONE"),
}  # fmt: skip

_CUT = ("TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIME_NS")


@record
class Foreign:
    """A foreign type as one of ours: `written` is the DuckDB type that values are cast to, or they are made JSON."""

    type: DataType
    written: str
    as_json: bool = False
    cut: bool = False


@record
class ForeignColumn:
    """A column with its type as ours and the DuckDB expression that gives its values."""

    name: str
    type: DataType
    expression: str
    cut: bool = False


def from_duckdb(written: str) -> Foreign:
    """Read a type as DuckDB writes it. Raises `ValueError` for one that we do not have."""
    if kind := _SAME.get(written):
        return Foreign(kind, written)
    if found := _CAST.get(written):
        return Foreign(*found, cut=written in _CUT)
    if m := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", written):
        return Foreign(Decimal(int(m[1]), int(m[2])), written)
    if m := re.fullmatch(r"(.*)\[\d*\]", written, re.DOTALL):
        item = from_duckdb(m[1])
        return (
            Foreign(Json(), "JSON", as_json=True)
            if item.as_json
            else Foreign(List(item.type), f"{item.written}[]", cut=item.cut)
        )
    if written.startswith("MAP("):
        return Foreign(Json(), "JSON", as_json=True)
    if written.startswith("ENUM("):
        return Foreign(String(), "VARCHAR")
    if m := re.fullmatch(r"STRUCT\((.*)\)", written, re.DOTALL):
        return _struct(m[1])
    raise ValueError(written)


def _struct(inside: str) -> Foreign:
    fields = [(name, from_duckdb(kind)) for name, kind in _fields(inside)]
    if any(kind.as_json for _, kind in fields):
        return Foreign(Json(), "JSON", as_json=True)
    written = ", ".join(f"{_quoted(name)} {kind.written}" for name, kind in fields)
    return Foreign(
        Struct(tuple((name, kind.type) for name, kind in fields)), f"STRUCT({written})", cut=any(k.cut for _, k in fields)
    )


def _fields(inside: str) -> Iterator[tuple[str, str]]:
    """The `name type` pairs between the brackets of a struct."""
    depth, start, quoted = 0, 0, False
    for i, char in enumerate(inside + ","):
        quoted ^= char == '"'
        if quoted:
            continue
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            m = re.fullmatch(r'\s*(?:"((?:[^"]|"")*)"|(\S+))\s+(.*)', inside[start:i], re.DOTALL)
            if m is None:
                raise ValueError(inside)
            yield (m[1].replace('""', '"') if m[1] is not None else m[2]), m[3].strip()
            start = i + 1


def columns_of(described: Iterable[tuple[str, str]], origin: str) -> tuple[ForeignColumn, ...]:
    """Columns from the `name, type` pairs that DuckDB describes a query with."""
    return tuple(_column(name, written, origin) for name, written in described)


def _column(name: str, written: str, origin: str) -> ForeignColumn:
    try:
        kind = from_duckdb(written)
    except ValueError as error:
        raise NonRetryableError(
            f"the column `{name}` of {origin} has the type {written}, which Headrace does not have",
            hint="leave the column out, or convert it, with a `query` in place of the table",
        ) from error
    column = _quoted(name)
    if kind.as_json:
        return ForeignColumn(name, kind.type, f"to_json({column})")
    same = written == kind.written
    return ForeignColumn(name, kind.type, column if same else f"CAST({column} AS {kind.written})", kind.cut)


def describe(
    con: Connection, query: str, origin: str, parameters: Mapping[str, Any] | None = None
) -> tuple[ForeignColumn, ...]:
    """The columns of a query as ours."""
    return columns_of(((row[0], row[1]) for row in con.execute(f"DESCRIBE {query}", parameters or {}).fetchall()), origin)


def schema_of(columns: Sequence[ForeignColumn]) -> Schema:
    if any(column.name.lower() == PROVENANCE for column in columns):
        raise NonRetryableError(
            f"a column is called `{PROVENANCE}`, which is Headrace's own name for where a row came from",
            hint="rename it at its source",
        )
    return Schema(tuple(Column(c.name, c.type) for c in columns))


def notes_of(columns: Iterable[ForeignColumn]) -> tuple[str, ...]:
    return tuple(f"times in `{c.name}` are cut to microseconds" for c in columns if c.cut)


def arrow_columns(schema: pa.Schema, origin: str) -> tuple[ForeignColumn, ...]:
    """The columns of an Arrow schema, as DuckDB will see them."""
    import duckdb
    import pyarrow as pa

    twice = {name for name in schema.names if schema.names.count(name) > 1}
    if twice:
        raise NonRetryableError(f"{origin} has more than one column `{min(twice)}`", hint="rename one of them")
    with lent() as con:
        try:
            return _seen_by_duckdb(con, schema, origin)
        except duckdb.Error:
            for field in schema:
                try:
                    _seen_by_duckdb(con, pa.schema([field]), origin)
                except duckdb.Error as error:
                    raise NonRetryableError(
                        f"the column `{field.name}` of {origin} has the Arrow type {field.type}, which DuckDB cannot read",
                        hint="convert it first",
                    ) from error
            raise


def _seen_by_duckdb(con: Connection, schema: pa.Schema, origin: str) -> tuple[ForeignColumn, ...]:
    con.register("looked at", schema.empty_table())
    return describe(con, 'SELECT * FROM "looked at"', origin)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def arrow_type(kind: DataType) -> pa.DataType:
    """The Arrow type that holds values of one of ours."""
    import pyarrow as pa

    match kind:
        case Integer(bits=128):
            return pa.decimal128(38, 0)
        case Integer():
            return getattr(pa, f"{'' if kind.signed else 'u'}int{kind.bits}")()
        case Float():
            return pa.float32() if kind.bits == 32 else pa.float64()
        case Decimal():
            return pa.decimal128(kind.precision, kind.scale)
        case List():
            return pa.list_(arrow_type(kind.item))
        case Struct():
            return pa.struct([pa.field(name, arrow_type(field)) for name, field in kind.fields])
        case Timestamp():
            return pa.timestamp("us", "UTC") if kind.zone else pa.timestamp("us")
    plain = {
        Boolean(): pa.bool_(), Date(): pa.date32(), Time(): pa.time64("us"), Binary(): pa.binary(),
        Interval(): pa.month_day_nano_interval(),
    }  # fmt: skip
    return plain.get(kind, pa.string())
