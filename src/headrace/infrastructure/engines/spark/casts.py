"""Strict casts in Spark's SQL: what does not fit exactly is an error, or null. How text is read stands in `text_casts`."""

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
from headrace.infrastructure.engines.spark.naming import identifier, text
from headrace.infrastructure.engines.spark.text_casts import from_text
from headrace.infrastructure.engines.spark.types import is_wide, spark_type
from headrace.infrastructure.engines.sql.casting import always_fits, misfit

#: Of how many digits a decimal may be into which a float is cast: with more, the digits that Java writes are not those of the float.
_DIGITS_OF_FLOATS = 15


def cast_sql(cast: Cast, value: str) -> str:
    """A cast of an expression whose SQL is `value`."""
    source, target = cast.value.type, cast.type
    if always_fits(source, target):
        return _plain(value, source, target)
    fitting = _lenient(value, source, target, cast.format)
    if cast.lenient:
        return fitting
    why = text(misfit(target))
    return f"coalesce({fitting}, CASE WHEN {value} IS NOT NULL THEN CAST(raise_error({why}) AS {spark_type(target)}) END)"


def cast_problem(source: DataType, target: DataType) -> str | None:
    """Why Spark has no such cast, or None."""
    if isinstance(source, List) and isinstance(target, List):
        return cast_problem(source.item, target.item)
    if isinstance(source, Struct) and isinstance(target, Struct):
        kinds = dict(source.fields)
        return next((why for name, kind in target.fields if (why := cast_problem(kinds[name], kind))), None)
    if source == target:
        return None
    if isinstance(target, Json) and not isinstance(source, String | Enum):
        return "Spark writes numbers and texts in JSON in a notation of its own; keep them in columns"
    if (isinstance(source, Json) and not isinstance(target, String)) or isinstance(target, List | Struct):
        return "Spark reads JSON less strictly than it is meant; take it apart on the engine duckdb"
    if isinstance(source, Float) and isinstance(target, String | Enum):
        return "Java writes floats in other digits; round them and cast them to a decimal first"
    if isinstance(source, Float) and isinstance(target, Decimal) and target.precision > _DIGITS_OF_FLOATS:
        return f"a float has {_DIGITS_OF_FLOATS} digits for certain; cast it to a decimal of no more"
    if isinstance(source, Float) and is_wide(target):
        return "a float beyond 64 bits has no exact digits in Spark; cast it to int64"
    return None


def _plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(target, String):
        return _as_text(value, source)
    return f"CAST({value} AS {spark_type(target)})"


def _as_text(value: str, source: DataType) -> str:
    """The one text of each value: see the section on casts of the semantics."""
    if isinstance(source, String | Enum | Json):
        return value
    if isinstance(source, Binary):
        return f"lower(hex({value}))"
    if isinstance(source, Timestamp) and source.zone:
        return f"(CAST({value} AS STRING) || '+00:00')"
    return f"CAST({value} AS STRING)"


def _lenient(value: str, source: DataType, target: DataType, written: CastFormat = CastFormat()) -> str:
    """The value as the target type where it fits exactly, else null."""
    if isinstance(source, String | Enum):
        return from_text(value, target, written)
    if isinstance(target, Enum):
        return from_text(_as_text(value, source), target, written)
    if isinstance(source, List) and isinstance(target, List):
        return _items(value, source, target)
    if isinstance(source, Struct) and isinstance(target, Struct):
        return _fields(value, source, target)
    return _between_plain(value, source, target)


def _between_plain(value: str, source: DataType, target: DataType) -> str:
    tried = f"try_cast({value} AS {spark_type(target)})"
    if isinstance(target, Integer):
        return _to_integer(value, source, target, tried)
    if isinstance(source, Decimal) and isinstance(target, Decimal) and target.scale < source.scale:
        return f"CASE WHEN try_cast({tried} AS {spark_type(source)}) = {value} THEN {tried} END"
    if isinstance(source, Float) and isinstance(target, Decimal):
        return f"CASE WHEN CAST({tried} AS {spark_type(source)}) = {value} THEN {tried} END"
    if isinstance(source, Float) and isinstance(target, Float):
        finite = f"abs({tried}) < CAST('inf' AS FLOAT)"
        return f"CASE WHEN {finite} OR isnan({value}) OR abs({value}) = CAST('inf' AS DOUBLE) THEN {tried} END"
    if isinstance(source, Timestamp) and isinstance(target, Date):
        return f"CASE WHEN CAST({tried} AS {spark_type(source)}) = {value} THEN {tried} END"
    return tried


def _to_integer(value: str, source: DataType, target: Integer, tried: str) -> str:
    if isinstance(source, Float):
        whole = f"rint({value}) = {value} AND {value} >= {float(target.lowest)!r}D AND {value} < {float(target.highest + 1)!r}D"
        return f"CASE WHEN {whole} THEN CAST({value} AS {spark_type(target)}) END"
    conditions = []
    if isinstance(source, Decimal) and source.scale:
        conditions.append(f"({value} % 1BD) = 0BD")
    if not target.signed:
        conditions.append(f"{value} BETWEEN {target.lowest} AND {target.highest}")
    return f"CASE WHEN {' AND '.join(conditions)} THEN {tried} END" if conditions else tried


def _items(value: str, source: List, target: List) -> str:
    changed = f"transform({value}, item -> {_inner('item', source.item, target.item)})"
    lost = f"exists({value}, item -> item IS NOT NULL AND ({_inner('item', source.item, target.item)}) IS NULL)"
    return f"CASE WHEN NOT {lost} THEN {changed} END"


def _fields(value: str, source: Struct, target: Struct) -> str:
    kinds = dict(source.fields)
    parts, lost = [], [f"{value} IS NULL"]
    for name, kind in target.fields:
        part = f"({value}).{identifier(name)}"
        changed = _inner(part, kinds[name], kind)
        parts.append(f"{text(name)}, {changed}")
        if changed != part:
            lost.append(f"({part} IS NOT NULL AND ({changed}) IS NULL)")
    return f"CASE WHEN {' OR '.join(lost)} THEN NULL ELSE named_struct({', '.join(parts)}) END"


def _inner(value: str, source: DataType, target: DataType) -> str:
    if source == target:
        return value
    return _plain(value, source, target) if always_fits(source, target) else _lenient(value, source, target)
