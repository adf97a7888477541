"""Strict casts in PostgreSQL's SQL: what does not fit exactly is an error, or null. How text is read stands in `text_casts`.

A cast that fails ends PostgreSQL's statement, so every cast stands behind a test that it will not.
"""

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
    Json,
    List,
    String,
    Struct,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.coercion import common_type
from headrace.business.processing.expressions.ir import Cast, CastFormat
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.json_casts import from_json, to_json
from headrace.infrastructure.engines.postgres.literals import text
from headrace.infrastructure.engines.postgres.text_casts import from_text
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.infrastructure.engines.sql.casting import always_fits, misfit


def cast_sql(cast: Cast, value: str) -> str:
    """A cast of an expression whose SQL is `value`."""
    source, target = cast.value.type, cast.type
    if _always_fits(source, target):
        return _plain(value, source, target)
    fitting = lenient(value, source, target, cast.format)
    if cast.lenient:
        return fitting
    given = f"json_typeof({value}) <> 'null'" if isinstance(source, Json) else f"{value} IS NOT NULL"
    why = text(misfit(target))
    return f"coalesce({fitting}, CASE WHEN {given} THEN {OWN}misfit({why}, CAST(NULL AS {postgres_type(target)})) END)"


def _always_fits(source: DataType, target: DataType) -> bool:
    """Structs too: they are JSON here, in which the fields are as they were."""
    return always_fits(source, target) or (isinstance(target, Struct) and common_type(source, target) == target)


def _plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(target, String):
        return _as_text(value, source)
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return f"CAST(CAST({value} AS integer) AS {postgres_type(target)})"
    return f"CAST({value} AS {postgres_type(target)})"


def _as_text(value: str, source: DataType) -> str:
    """The one text of each value: see the section on casts of the semantics."""
    if isinstance(source, String | Enum):
        return value
    if isinstance(source, Binary):
        return f"encode({value}, 'hex')"
    if isinstance(source, Float):
        return f"{OWN}float_text({value})"
    if isinstance(source, Timestamp) and source.zone:
        return f"replace(CAST({value} AS text), '+00', '+00:00')"  # an infinity has no zone
    return f"CAST({value} AS text)"


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
    return _between_plain(value, source, target)


def _between_plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(target, Integer):
        return _to_integer(value, source, target)
    if isinstance(target, Decimal):
        exact = f"{OWN}nearest_decimal({value}, {target.scale})" if isinstance(source, Float) else value
        bound = 10 ** (target.precision - target.scale)
        return f"CAST({OWN}fitting_decimal({exact}, {bound}, {target.scale}) AS {postgres_type(target)})"
    if isinstance(target, Float):
        return f"{OWN}fitting_real({value})" if isinstance(source, Float) else f"CAST({value} AS real)"
    if isinstance(source, Timestamp) and isinstance(target, Date):
        return f"CASE WHEN {value} = date_trunc('day', {value}) THEN CAST({value} AS date) END"
    return f"CAST({value} AS {postgres_type(target)})"


def _to_integer(value: str, source: DataType, target: Integer) -> str:
    kind = postgres_type(target)
    if isinstance(source, Float):
        exact = f"{OWN}whole_number({value})"
        return f"CASE WHEN {exact} BETWEEN {target.lowest} AND {target.highest} THEN CAST({exact} AS {kind}) END"
    whole = f"{value} = trunc({value}) AND " if isinstance(source, Decimal) else ""
    return f"CASE WHEN {whole}{value} BETWEEN {target.lowest} AND {target.highest} THEN CAST({value} AS {kind}) END"


def _items(value: str, source: List, target: List) -> str:
    kind = postgres_type(target)
    changed = _inner('"item"', source.item, target.item)
    lost = f'bool_or("item" IS NOT NULL AND ({changed}) IS NULL)'
    made = f'CASE WHEN {lost} THEN NULL ELSE array_agg({changed} ORDER BY "place") END'
    each = f'(SELECT {made} FROM unnest({value}) WITH ORDINALITY AS "items"("item", "place"))'
    return f"CASE WHEN cardinality({value}) = 0 THEN CAST(ARRAY[] AS {kind}) ELSE {each} END"


def _inner(value: str, source: DataType, target: DataType) -> str:
    if source == target:
        return value
    return _plain(value, source, target) if _always_fits(source, target) else lenient(value, source, target)
