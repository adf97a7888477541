"""Strict casts out of JSON and into it, in PostgreSQL's SQL."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.model.types import Boolean, DataType, Decimal, Float, Integer, Json, List, String
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.types import postgres_type

FromText = Callable[[str, DataType], str]


def from_json(value: str, target: DataType, from_text: FromText) -> str:
    """Numbers from numbers (decimals also from texts, which keep all digits), booleans from booleans, lists from arrays,
    all else from texts. A JSON null is null."""
    if isinstance(target, Json):
        return value
    if isinstance(target, List):
        return _list(value, target, from_text)
    kinds = "'string'"
    if isinstance(target, Integer | Float):
        kinds = "'number'"
    elif isinstance(target, Decimal):
        kinds = "'string', 'number'"
    elif isinstance(target, Boolean):
        kinds = "'boolean'"
    inner = f"({value} #>> '{{}}')"
    return f"CASE WHEN json_typeof({value}) IN ({kinds}) THEN {inner if isinstance(target, String) else from_text(inner, target)} END"


def _list(value: str, target: List, from_text: FromText) -> str:
    kind = postgres_type(target)
    changed = from_json('"item"', target.item, from_text)
    if isinstance(target.item, Json):
        made = 'array_agg("item" ORDER BY "place")'
    else:
        lost = f"bool_or(json_typeof(\"item\") <> 'null' AND ({changed}) IS NULL)"
        made = f'CASE WHEN {lost} THEN NULL ELSE array_agg({changed} ORDER BY "place") END'
    items = f"json_array_elements({OWN}json_array({value}))"
    each = f'(SELECT {made} FROM {items} WITH ORDINALITY AS "items"("item", "place"))'
    return (
        f"CASE WHEN json_typeof({value}) <> 'array' THEN NULL "
        f"WHEN json_array_length({OWN}json_array({value})) = 0 THEN CAST(ARRAY[] AS {kind}) ELSE {each} END"
    )


def to_json(value: str, source: DataType) -> str:
    """JSON has no word for NaN and the infinities, so they do not fit."""
    if isinstance(source, Float):
        return f"CASE WHEN abs({value}) < 'Infinity' THEN to_json({value}) END"
    if isinstance(source, List) and isinstance(source.item, Float):
        return f"CASE WHEN ({OWN}greatest_size({value}) < 'Infinity') IS NOT FALSE THEN to_json({value}) END"
    return f"to_json({value})"
