"""Strict casts out of JSON and into it, in DuckDB's SQL. DuckDB's own turn texts into numbers and numbers into texts."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.model.types import Boolean, DataType, Decimal, Float, Integer, Json, List, String, Struct
from headrace.infrastructure.engines.duckdb.literals import identifier, text

#: What `json_type` calls numbers.
_NUMBERS = "'UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE', 'DECIMAL'"
FromText = Callable[[str, DataType], str]


def from_json(value: str, target: DataType, from_text: FromText) -> str:
    """Numbers from numbers (decimals also from texts, which keep all digits), booleans from booleans, lists from arrays,
    structs from objects with no other fields, all else from texts. A JSON null is null."""
    if isinstance(target, Json):
        return value
    if isinstance(target, List):
        return _list(value, target, from_text)
    if isinstance(target, Struct):
        return _struct(value, target, from_text)
    kinds = "'VARCHAR'"
    if isinstance(target, Integer | Float):
        kinds = _NUMBERS
    elif isinstance(target, Decimal):
        kinds = f"'VARCHAR', {_NUMBERS}"
    elif isinstance(target, Boolean):
        kinds = "'BOOLEAN'"
    inner = f"({value} ->> '$')"
    return f"CASE WHEN json_type({value}) IN ({kinds}) THEN {inner if isinstance(target, String) else from_text(inner, target)} END"


def _list(value: str, target: List, from_text: FromText) -> str:
    items = f"CAST({value} AS JSON[])"
    changed = f"list_transform({items}, lambda item: {from_json('item', target.item, from_text)})"
    nulls = f"len(list_filter({items}, lambda item: coalesce(json_type(item), 'NULL') = 'NULL'))"
    lost = f"len(list_filter({changed}, lambda item: item IS NULL)) > {nulls}"
    if isinstance(target.item, Json):
        return f"CASE WHEN json_type({value}) = 'ARRAY' THEN {items} END"
    return f"CASE WHEN json_type({value}) <> 'ARRAY' OR {lost} THEN NULL ELSE {changed} END"


def _struct(value: str, target: Struct, from_text: FromText) -> str:
    parts, lost = [], []
    for name, kind in target.fields:
        part = f"json_extract({value}, {text(_path(name))})"
        changed = from_json(part, kind, from_text)
        parts.append(f"{identifier(name)} := {changed}")
        lost.append(f"(coalesce(json_type({part}), 'NULL') <> 'NULL' AND {changed} IS NULL)")
    known = ", ".join(text(name) for name, _ in target.fields)
    odd = f"len(list_filter(json_keys({value}), lambda name: name NOT IN ({known}))) > 0"
    unfit = " OR ".join([f"coalesce(json_type({value}), 'NULL') <> 'OBJECT'", odd, *lost])
    return f"CASE WHEN {unfit} THEN NULL ELSE struct_pack({', '.join(parts)}) END"


def _path(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def to_json(value: str, source: DataType) -> str:
    """JSON has no word for NaN and the infinities, so they do not fit."""
    if isinstance(source, Float):
        return f"CASE WHEN isfinite({value}) THEN to_json({value}) END"
    made = f"to_json({value})"
    if isinstance(source, List | Struct):
        bare = rf"""regexp_replace({made}, '"(?:[^"\\]|\\.)*"', '""', 'g')"""
        return f"CASE WHEN {value} IS NOT NULL AND NOT regexp_matches({bare}, '(?i)nan|inf') THEN {made} END"
    return f"CASE WHEN {value} IS NOT NULL THEN {made} END"
