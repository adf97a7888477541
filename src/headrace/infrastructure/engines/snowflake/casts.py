"""Strict casts in Snowflake's SQL: what does not fit exactly is an error, or null. How text is read stands in `text_casts`."""

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
    Null,
    String,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.coercion import common_type
from headrace.business.processing.expressions.ir import Cast
from headrace.infrastructure.engines.snowflake.calling import misfit, within
from headrace.infrastructure.engines.snowflake.text_casts import from_text
from headrace.infrastructure.engines.snowflake.types import snowflake_type, type_problem
from headrace.infrastructure.engines.sql.casting import wide_enough

_MICROSECONDS = "HH24:MI:SS.FF6"


def cast_sql(cast: Cast, value: str) -> str:
    """A cast of an expression whose SQL is `value`."""
    source, target = cast.value.type, cast.type
    if isinstance(source, Null) or source == target:
        return f"CAST({value} AS {snowflake_type(target)})"
    if isinstance(target, String):
        return _as_text(value, source)
    if _always_fits(source, target):
        return _plain(value, source, target)
    if isinstance(source, String | Enum):
        fitting = from_text(value, target, cast.format)
    elif isinstance(target, Enum):
        fitting = from_text(_as_text(value, source), target, cast.format)
    else:
        fitting = _where_it_fits(value, source, target)
    if cast.lenient:
        return fitting
    return f"COALESCE({fitting}, CASE WHEN {value} IS NOT NULL THEN {misfit(value, target)} END)"


def cast_problem(cast: Cast) -> str | None:
    """Why a cast cannot be carried out with our meaning, or None."""
    source, target = cast.value.type, cast.type
    if type_problem(source) or type_problem(target) or isinstance(source, Null) or source == target:
        return None
    if cast.format.pattern is not None:
        return (
            f"Snowflake reads formats of dates otherwise than `{cast.format.pattern}` is meant; let text be written as ISO 8601"
        )
    if isinstance(source, Float) and isinstance(target, String | Enum):
        return "Snowflake writes floats otherwise; cast it to a decimal first"
    if isinstance(source, Float) and isinstance(target, Decimal):
        return "how Snowflake makes decimals of floats is not said; read it as a decimal"
    if isinstance(source, Decimal) and source.precision == source.scale and isinstance(target, String):
        return "Snowflake may write it without a digit before the point; give it a digit more"
    if isinstance(target, Enum) and not cast.lenient:
        return "a word that is none of an enum is no error in Snowflake; use `try_cast`"
    if isinstance(source, String | Enum | Integer | Decimal | Boolean | Date) or isinstance(target, String | Integer | Float):
        return None
    if (isinstance(source, Timestamp) and isinstance(target, Date | Time | Timestamp)) or isinstance(source, Time | Binary):
        return None
    return f"a {source} becomes no {target} here"


def _always_fits(source: DataType, target: DataType) -> bool:
    if isinstance(target, Enum):
        return False
    if isinstance(target, Decimal):
        return isinstance(source, Integer | Decimal) and wide_enough(source, target)
    if isinstance(target, Float):
        return source.is_number
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return True
    return common_type(source, target) == target


def _plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return f"CAST(CASE WHEN {value} THEN 1 WHEN NOT {value} THEN 0 END AS {snowflake_type(target)})"
    return f"CAST({value} AS {snowflake_type(target)})"


def _as_text(value: str, source: DataType) -> str:
    """The one text of each value: see the section on casts of the semantics."""
    match source:
        case String() | Enum():
            return value
        case Binary():
            return f"LOWER(HEX_ENCODE({value}))"
        case Date():
            return f"TO_VARCHAR({value}, 'YYYY-MM-DD')"
        case Time():
            return _shortened(f"TO_VARCHAR({value}, '{_MICROSECONDS}')")
        case Timestamp():
            written = _shortened(f"TO_VARCHAR({value}, 'YYYY-MM-DD {_MICROSECONDS}')")
            return f"({written} || '+00:00')" if source.zone else written
    return f"CAST({value} AS VARCHAR)"


def _shortened(written: str) -> str:
    """Without a fraction that is zero, and without zeros at the end of one."""
    return f"RTRIM(RTRIM({written}, '0'), '.')"


def _where_it_fits(value: str, source: DataType, target: DataType) -> str:
    """The value as the target type where it fits exactly, else null."""
    kind = snowflake_type(target)
    if isinstance(target, Integer) and isinstance(source, Integer | Decimal | Float):
        whole = "" if isinstance(source, Integer) else f"{value} = TRUNC({value}) AND "
        return f"CASE WHEN {whole}{within(value, target)} THEN CAST({value} AS {kind}) END"
    if isinstance(target, Decimal):
        bound = 10 ** (target.precision - target.scale)
        scale = source.scale if isinstance(source, Decimal) else 0
        exact = f"{value} = ROUND({value}, {target.scale}) AND " if scale > target.scale else ""
        return f"CASE WHEN {exact}ABS({value}) < {bound} THEN CAST({value} AS {kind}) END"
    if isinstance(source, Timestamp) and isinstance(target, Date):
        return f"CASE WHEN {value} = DATE_TRUNC('day', {value}) THEN CAST({value} AS DATE) END"
    return f"CAST({value} AS {kind})"
