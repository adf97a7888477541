"""Our types as DuckDB's, and back. Not values (see `literals`)."""

from __future__ import annotations

import re

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
)  # fmt: skip

_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT", 128: "HUGEINT"}
_PLAIN: dict[DataType, str] = {
    Null(): "INTEGER", Boolean(): "BOOLEAN", Float(32): "FLOAT", Float(64): "DOUBLE", String(): "VARCHAR", Date(): "DATE", Time(): "TIME",
    Timestamp(): "TIMESTAMP", Timestamp(zone=True): "TIMESTAMP WITH TIME ZONE", Interval(): "INTERVAL", Binary(): "BLOB", Json(): "JSON",
    **{Integer(bits): name for bits, name in _INTEGERS.items()},
    **{Integer(bits, signed=False): f"U{name}" for bits, name in _INTEGERS.items()},
}  # fmt: skip

#: Types of DuckDB that are kept as one of ours. Where the name differs, whoever scans has to cast to `duckdb_type`.
_KEPT_AS: dict[str, DataType] = {
    **{name: kind for kind, name in _PLAIN.items() if not isinstance(kind, Null)},
    "NULL": Null(), "TEXT": String(), "REAL": Float(32), "TIMESTAMPTZ": Timestamp(zone=True), "TIMESTAMP_S": Timestamp(),
    "TIMESTAMP_MS": Timestamp(), "TIMESTAMP_NS": Timestamp(), "TIME_NS": Time(), "TIME WITH TIME ZONE": String(), "TIMETZ": String(),
    "UUID": String(), "BIT": String(), "BIGNUM": String(), "VARINT": String(), "MAP": Json(), "UNION": Json(), "VARIANT": Json(),
}  # fmt: skip

_TOKEN = re.compile(r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\[\d*\]|[(),]|[^\s"'\[(),]+)""")


def duckdb_type(kind: DataType) -> str:
    """The type in which DuckDB keeps it. An enum is a VARCHAR, so that its order is that of text, also in Parquet."""
    match kind:
        case Decimal():
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case List():
            return f"{duckdb_type(kind.item)}[]"
        case Struct():
            return "STRUCT(" + ", ".join(f"{_quoted(name)} {duckdb_type(field)}" for name, field in kind.fields) + ")"
        case Enum():
            return "VARCHAR"
        case _:
            return _PLAIN[kind]


def from_duckdb(text: str) -> DataType:
    """The type that DuckDB calls so. Raises `ValueError` for one that has no counterpart."""
    tokens = _TOKEN.findall(text)
    kind, rest = _type(tokens)
    if rest:
        raise ValueError(f"`{text}` is not a type of DuckDB")
    return kind


def _type(tokens: list[str]) -> tuple[DataType, list[str]]:
    """The type at the front, and the tokens behind it."""
    words = 0
    while words < len(tokens) and (tokens[words][0].isalpha() or tokens[words] in ('"NULL"', '"null"')):
        words += 1
    name, rest = " ".join(tokens[:words]).upper().strip('"'), tokens[words:]
    parts, rest = _brackets(rest) if rest[:1] == ["("] else ([], rest)
    kind = _named(name, parts)
    while rest and rest[0].startswith("["):
        kind, rest = List(kind), rest[1:]
    return kind, rest


def _brackets(tokens: list[str]) -> tuple[list[list[str]], list[str]]:
    """What stands between the commas of a bracket, and the tokens behind it."""
    parts: list[list[str]] = [[]]
    depth = 0
    for i, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return parts, tokens[i + 1 :]
        if word == "," and depth == 1:
            parts.append([])
        elif i:
            parts[-1].append(word)
    raise ValueError("a bracket is not closed")


def _named(name: str, parts: list[list[str]]) -> DataType:
    if name in ("DECIMAL", "NUMERIC"):
        return Decimal(int(parts[0][0]), int(parts[1][0])) if parts else Decimal()
    if name == "STRUCT":
        return Struct(tuple((_unquoted(field[0]), _type(field[1:])[0]) for field in parts))
    if name == "ENUM":
        return Enum(tuple(value[0][1:-1].replace("''", "'") for value in parts))
    kind = _KEPT_AS.get(name)
    if kind is None:
        raise ValueError(f"`{name}` is a type that is not read")
    return kind


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
