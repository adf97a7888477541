"""The words that DuckDB has for our types, for those connectors that let it read and write. Not the engine's lowering."""

from __future__ import annotations

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.infrastructure.sql_text import quoted

_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT", 128: "HUGEINT"}
_PLAIN: dict[type[DataType], str] = {
    Boolean: "BOOLEAN", String: "VARCHAR", Enum: "VARCHAR", Null: "VARCHAR", Date: "DATE", Time: "TIME", Interval: "INTERVAL",
    Binary: "BLOB", Json: "JSON",
}  # fmt: skip


def duckdb_type(kind: DataType) -> str:
    """The type in DuckDB's words. An enum becomes text: a list of words that changes must not break a table."""
    match kind:
        case Integer():
            return ("" if kind.signed else "U") + _INTEGERS[kind.bits]
        case Float():
            return "FLOAT" if kind.bits == 32 else "DOUBLE"
        case Decimal():
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case Timestamp():
            return "TIMESTAMP WITH TIME ZONE" if kind.zone else "TIMESTAMP"
        case List():
            return f"{duckdb_type(kind.item)}[]"
        case Struct():
            return "STRUCT(" + ", ".join(f"{quoted(name)} {duckdb_type(field)}" for name, field in kind.fields) + ")"
    return _PLAIN[type(kind)]


#: DuckDB's words for its own types where our parser would read another one.
_WORDS = {"FLOAT": Float(32), "DOUBLE": Float(64), "TIMESTAMP": Timestamp()}


def type_in_duckdb(text: str) -> DataType | None:
    """The type that DuckDB's words stand for; None where they stand for none of ours."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return parse_type(text)
    except ValueError:
        return None
