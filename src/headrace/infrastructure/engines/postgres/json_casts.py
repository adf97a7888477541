"""Strict casts out of JSON and into it, in PostgreSQL's SQL."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.model.types import Boolean, DataType, Decimal, Float, Integer, Json, List, String, Timestamp
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.types import postgres_type

#: Decimals of more digits keep them.
_DIGITS_OF_FLOATS = 15
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
    inner = f"{OWN}json_as_text({value})"
    return f"CASE WHEN json_typeof({value}) IN ({kinds}) THEN {inner if isinstance(target, String) else from_text(inner, target)} END"


def _list(value: str, target: List, from_text: FromText) -> str:
    kind = postgres_type(target)
    changed = from_json('"item"', target.item, from_text)
    if isinstance(target.item, Json):
        kept = f'CASE WHEN json_typeof("item") <> \'null\' THEN {OWN}json_compact("item") END'
        made = f'array_agg({kept} ORDER BY "place")'
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
    """JSON has no word for NaN and the infinities, so they do not fit. Decimals that a float holds are written as floats."""
    if isinstance(source, List):
        return _array(value, source)
    if isinstance(source, Float) or (isinstance(source, Decimal) and source.precision <= _DIGITS_OF_FLOATS):
        number = f"CAST({value} AS double precision)"
        finite = f"abs({value}) < 'Infinity'" if isinstance(source, Float) else f"{value} IS NOT NULL"
        return f"CASE WHEN {finite} THEN CAST({OWN}json_number({OWN}float_text({number})) AS json) END"
    return f"to_json(CAST({value} AS text))" if isinstance(source, Timestamp) else f"to_json({value})"


def _array(value: str, source: List) -> str:
    item = to_json('"item"', source.item)
    items = f"string_agg(coalesce(CAST({item} AS text), 'null'), ',' ORDER BY \"place\")"
    made = f"CAST('[' || coalesce({items}, '') || ']' AS json)"
    if isinstance(source.item, Float):
        made = f"CASE WHEN bool_and(abs(\"item\") < 'Infinity') IS NOT FALSE THEN {made} END"
    each = f'(SELECT {made} FROM unnest({value}) WITH ORDINALITY AS "items"("item", "place"))'
    return f"CASE WHEN {value} IS NOT NULL THEN {each} END"
