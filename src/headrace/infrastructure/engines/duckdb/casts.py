"""Strict casts in DuckDB's SQL: what does not fit exactly is an error, or null. How text is read stands in `text_casts`."""

from __future__ import annotations

from headrace.business.model.types import (
    Binary,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Json,
    List,
    String,
    Struct,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.ir import Cast, CastFormat
from headrace.infrastructure.engines.duckdb.json_casts import from_json, to_json
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.text_casts import from_text
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.casting import always_fits, misfit


def cast_sql(cast: Cast, value: str) -> str:
    """A cast of an expression whose SQL is `value`."""
    source, target = cast.value.type, cast.type
    if always_fits(source, target):
        return _plain(value, source, target)
    fitting = lenient(value, source, target, cast.format)
    if cast.lenient:
        return fitting
    given = f"json_type({value}) <> 'NULL'" if isinstance(source, Json) else f"{value} IS NOT NULL"
    why = text(misfit(target))
    return f"coalesce({fitting}, CASE WHEN {given} THEN error({why}) END)"


def _plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(target, String):
        return _as_text(value, source)
    return f"CAST({value} AS {duckdb_type(target)})"


def _as_text(value: str, source: DataType) -> str:
    """The one text of each value: see the section on casts of the semantics."""
    if isinstance(source, Binary):
        return f"lower(hex({value}))"
    written = f"CAST({value} AS VARCHAR)"
    if isinstance(source, Float):  # a NaN may have a sign, which means nothing
        return f"CASE WHEN isnan({value}) THEN 'nan' ELSE {written} END"
    if isinstance(source, Decimal) and source.precision == source.scale:
        return rf"regexp_replace({written}, '^(-?)\.', '\10.')"
    if isinstance(source, Timestamp) and source.zone:
        return f"replace({written}, '+00', '+00:00')"  # an infinity has no zone
    return written


def lenient(value: str, source: DataType, target: DataType, written: CastFormat = CastFormat()) -> str:
    """The value as the target type where it fits exactly, else null."""
    if isinstance(source, String | Enum):
        return from_text(value, target, written)
    if isinstance(source, Json):
        return from_json(value, target, from_text)
    if isinstance(target, Json):
        return to_json(value, source)
    if isinstance(target, Enum):
        return from_text(_as_text(value, source), target, written)
    if isinstance(source, List) and isinstance(target, List):
        return _items(value, source, target)
    if isinstance(source, Struct) and isinstance(target, Struct):
        return _fields(value, source, target)
    return _between_plain(value, source, target)


def _between_plain(value: str, source: DataType, target: DataType) -> str:
    tried = f"TRY_CAST({value} AS {duckdb_type(target)})"
    if isinstance(source, Float | Decimal) and isinstance(target, Integer):
        return f"CASE WHEN {value} = trunc({value}) THEN {tried} END"
    if isinstance(source, Decimal) and isinstance(target, Decimal) and target.scale < source.scale:
        back = f"TRY_CAST({tried} AS {duckdb_type(source)})"  # rounded up, it may be too large for the type that it came from
        return f"CASE WHEN {back} = {value} THEN {tried} END"
    if isinstance(source, Float) and isinstance(target, Decimal):
        return f"CASE WHEN CAST({tried} AS {duckdb_type(source)}) = {value} THEN {tried} END"
    if isinstance(source, Timestamp) and isinstance(target, Date):
        return f"CASE WHEN {value} = date_trunc('day', {value}) THEN {tried} END"
    return tried


def _items(value: str, source: List, target: List) -> str:
    changed = f"list_transform({value}, lambda item: {_inner('item', source.item, target.item)})"
    lost = f"len(list_filter({changed}, lambda item: item IS NULL)) > len(list_filter({value}, lambda item: item IS NULL))"
    return f"CASE WHEN {lost} THEN NULL ELSE {changed} END"


def _fields(value: str, source: Struct, target: Struct) -> str:
    kinds = dict(source.fields)
    parts, lost = [], []
    for name, kind in target.fields:
        part = f"struct_extract({value}, {text(name)})"
        changed = _inner(part, kinds[name], kind)
        parts.append(f"{identifier(name)} := {changed}")
        if changed != part:
            lost.append(f"({part} IS NOT NULL AND {changed} IS NULL)")
    conditions = " OR ".join([f"{value} IS NULL", *lost])
    return f"CASE WHEN {conditions} THEN NULL ELSE struct_pack({', '.join(parts)}) END"


def _inner(value: str, source: DataType, target: DataType) -> str:
    if source == target:
        return value
    return _plain(value, source, target) if always_fits(source, target) else lenient(value, source, target)
