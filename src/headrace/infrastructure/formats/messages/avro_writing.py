"""Writes rows as Avro records, each by itself. Not how they are framed."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Interval,
    List,
    Struct,
    Time,
    Timestamp,
)
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.messages.exact_casts import exactly

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AvroWriter:
    """Writes a record for each row, after the bytes that begin every message. Raises `NonRetryableError` for a row that has no place in
    the schema."""

    def __init__(self, schema: dict[str, Any], begin: bytes = b"") -> None:
        self._schema, self._begin = schema, begin

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        import fastavro
        import pyarrow as pa

        columns = {name: _unsigned(column) for name, column in zip(rows.schema.names, rows.columns, strict=True)}
        bodies = []
        for row in pa.table(columns).to_pylist():
            out = io.BytesIO(self._begin)
            out.seek(0, io.SEEK_END)
            try:
                fastavro.schemaless_writer(out, self._schema, row)
            except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
                raise NonRetryableError(
                    f"a row does not fit the Avro schema: {str(error) or type(error).__name__}",
                    hint="let the schema allow it, or derive columns that fit",
                ) from error
            bodies.append(out.getvalue())
        return pa.array(bodies, pa.binary())


def _unsigned(column: pa.Array) -> pa.Array:
    """Avro has no integers of more than 64 bits with a sign; they are decimals there."""
    import pyarrow as pa

    return exactly(column, pa.decimal128(20, 0)) if column.type == pa.uint64() else column


def schema_of(schema: Schema, name: str) -> dict[str, Any]:
    """The Avro schema of our columns, each of which may be null. Raises `NonRetryableError` for what Avro does not have."""
    return {"type": "record", "name": name, "fields": [_field(column.name, column.type, f"{name}_") for column in schema]}


def _field(name: str, kind: DataType, around: str) -> dict[str, Any]:
    if not _NAME.fullmatch(name):
        raise NonRetryableError(
            f"Avro cannot name a field `{name}`",
            hint="letters, digits and `_` alone: give the column another name with a `rename` step",
        )
    return {"name": name, "type": ["null", _type(kind, around + name)], "default": None}


_PLAIN: Mapping[DataType, Any] = {
    Boolean(): "boolean",
    Binary(): "bytes",
    Float(32): "float",
    Float(64): "double",
    Date(): {"type": "int", "logicalType": "date"},
    Time(): {"type": "long", "logicalType": "time-micros"},
    Timestamp(zone=True): {"type": "long", "logicalType": "timestamp-micros"},
    Timestamp(): {"type": "long", "logicalType": "local-timestamp-micros"},
}


def _type(kind: DataType, name: str) -> Any:
    match kind:
        case Integer():
            if kind.bits == 128 or kind.highest >= 1 << 63:
                return _decimal(38 if kind.bits == 128 else 20, 0)
            return "int" if kind.highest < 1 << 31 else "long"
        case Decimal():
            return _decimal(kind.precision, kind.scale)
        case List():
            return {"type": "array", "items": ["null", _type(kind.item, name)]}
        case Struct():
            return {"type": "record", "name": name, "fields": [_field(n, k, f"{name}_") for n, k in kind.fields]}
        case Interval():
            raise NonRetryableError("Avro has no type for intervals of months", hint="write how many days or seconds it is")
    return _PLAIN.get(kind, "string")


def _decimal(precision: int, scale: int) -> Any:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
