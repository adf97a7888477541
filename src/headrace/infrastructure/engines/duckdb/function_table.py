"""The scalar functions of the catalogue in DuckDB's SQL: an explicit entry for each, so that its documented meaning holds.

A template names the arguments `{0}`, `{1}`; where the types or literals matter there is a function. Not casts, not aggregates.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Date, Decimal, Float, Integer, Interval, Timestamp
from headrace.business.processing.expressions.ir import Call, ColumnRef, Constant, Expr
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.time_casts import timestamp_in
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.dialect import Lowering


def _value(e: Expr) -> object:
    return e.value if isinstance(e, Constant) else None


def _joined(word: str) -> Lowering:
    return lambda _, args: "(" + f" {word} ".join(args) + ")"


def _listed(template: str) -> Lowering:
    """All arguments behind each other."""
    return lambda _, args: template.format(", ".join(args))


def _as_result(sql: str, e: Call) -> str:
    return f"CAST({sql} AS {duckdb_type(e.type)})"


# Numbers --------------------------------------------------------------------------------------------------------------


def _add(e: Call, args: Sequence[str]) -> str:
    return _sum("+", e, args)


def _subtract(e: Call, args: Sequence[str]) -> str:
    return _sum("-", e, args)


def _sum(sign: str, e: Call, args: Sequence[str]) -> str:
    left, right = args
    if isinstance(e.type, Date):
        right = f"CAST({right} AS INTEGER)"
    return f"({left} {sign} {right})"


def _multiply(e: Call, args: Sequence[str]) -> str:
    """DuckDB calculates narrow decimals in 18 digits, whatever the product needs; one wide side makes it use 38."""
    left, right = args
    first, second = e.args[0].type, e.args[1].type
    if isinstance(e.type, Decimal) and isinstance(first, Decimal) and isinstance(second, Decimal):
        if first.precision <= 18 and second.precision <= 18 < e.type.precision:
            wide = f"CAST({left} AS DECIMAL(19, {first.scale}))"
            return _as_result(f"({wide} * {right})", e)
        return f"({left} * {right})"
    if isinstance(e.type, Interval):
        right = f"CAST({right} AS INTEGER)"
    return f"({left} * {right})"


def _over_zero(sign: str) -> Lowering:
    """Null instead of an error or an infinity; a literal divisor needs no test."""

    def lower(e: Call, args: Sequence[str]) -> str:
        divisor = _value(e.args[1])
        safe = args[1] if divisor else f"nullif({args[1]}, 0)"
        return f"({args[0]} {sign} {safe})"

    return lower


def _abs(e: Call, args: Sequence[str]) -> str:
    return f"abs({args[0]})" if e.type == e.args[0].type else f"abs(CAST({args[0]} AS {duckdb_type(e.type)}))"


def _round(e: Call, args: Sequence[str]) -> str:
    digits = _value(e.args[1]) if len(e.args) > 1 else 0
    places = digits if isinstance(digits, int) else 0
    if len(e.args) > 1 and digits is None:
        return f"CAST(NULL AS {duckdb_type(e.type)})"
    if isinstance(e.type, Float):
        return f"round({args[0]}, {places})"
    kind = e.args[0].type
    if (isinstance(kind, Integer) and places >= 0) or (isinstance(kind, Decimal) and places >= kind.scale):
        return args[0]
    wide = f"CAST({args[0]} AS BIGINT)" if isinstance(kind, Integer) and kind.bits < 64 else args[0]
    rounded = _as_result(f"round({wide}, {places})", e)
    if isinstance(kind, Decimal) and -places >= kind.precision - kind.scale:
        return f"CASE WHEN {args[0]} IS NOT NULL THEN {rounded} END"  # DuckDB makes a zero of everything, null included
    return rounded


def _to_whole(name: str) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Integer):
            return args[0]
        return f"{name}({args[0]})" if isinstance(e.type, Float) else _as_result(f"{name}({args[0]})", e)

    return lower


# Text -----------------------------------------------------------------------------------------------------------------


def _trim(e: Call, args: Sequence[str]) -> str:
    """DuckDB goes through every character of a text; that no space stands at an end of plain ASCII shows at a quarter of the cost."""
    trimmed = f"trim({', '.join(args)})"
    if len(args) > 1 or not isinstance(e.args[0], ColumnRef):
        return trimmed
    column = args[0]
    untouched = f"{column} >= '!' AND NOT ends_with({column}, ' ') AND strlen({column}) = length({column})"
    return f"CASE WHEN {untouched} THEN {column} ELSE {trimmed} END"


def _like(word: str) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        escape = f" ESCAPE {args[2]}" if len(e.args) > 2 else ""
        return f"({args[0]} {word} {args[1]}{escape})"

    return lower


def _substring(e: Call, args: Sequence[str]) -> str:
    """SQL's: characters are counted from 1, also those that are not there."""
    start, count = _value(e.args[1]), _value(e.args[2]) if len(e.args) > 2 else None
    value, first = args[0], args[1]
    if isinstance(start, int) and start >= 1 and (len(args) == 2 or (isinstance(count, int) and count >= 0)):
        return f"substring({', '.join(args)})"
    if len(args) == 2:
        return f"CASE WHEN {first} < 1 THEN {value} ELSE substring({value}, {first}) END"
    shown = f"greatest(least({first}, 4294967296) + least({args[2]}, 4294967296) - greatest({first}, 1), 0)"
    return f"CASE WHEN {first} IS NOT NULL AND {args[2]} IS NOT NULL THEN substring({value}, greatest({first}, 1), {shown}) END"


def _not_below(name: str, least: int, otherwise: str) -> Lowering:
    """`name(text, count)` for a count that is not below the least; a literal needs no test."""

    def lower(e: Call, args: Sequence[str]) -> str:
        count = _value(e.args[-1])
        plain = f"{name}({', '.join(args)})"
        if isinstance(count, int) and count >= least:
            return plain
        return f"CASE WHEN {args[-1]} < {least} AND {args[0]} IS NOT NULL THEN {otherwise} ELSE {plain} END"

    return lower


def _extract_match(e: Call, args: Sequence[str]) -> str:
    part = _value(e.args[2]) if len(e.args) > 2 else 0
    found = f"regexp_extract({args[0]}, {args[1]}, {part if part is not None else 'NULL'})"
    return f"CASE WHEN regexp_matches({args[0]}, {args[1]}) THEN {found} END"


# Time -----------------------------------------------------------------------------------------------------------------

_PARTS = {"dayofweek": "dow", "dayofyear": "doy", "millisecond": "milliseconds", "microsecond": "microseconds"}


def _date_part(e: Call, args: Sequence[str]) -> str:
    part = str(_value(e.args[0]))
    return f"date_part('{_PARTS.get(part, part)}', {args[1]})"


def _date_trunc(e: Call, args: Sequence[str]) -> str:
    return (
        _as_result(f"date_trunc({args[0]}, {args[1]})", e) if isinstance(e.type, Date) else f"date_trunc({args[0]}, {args[1]})"
    )


def _date_diff(e: Call, args: Sequence[str]) -> str:
    """DuckDB counts weeks in steps of seven days, and not how many Mondays lie between."""
    if _value(e.args[0]) == "week":
        first, last = (f"CAST(date_trunc('week', {arg}) AS DATE)" for arg in args[1:])
        return f"(({last} - {first}) // 7)"
    return f"date_diff({', '.join(args)})"


def _on_utc(template: str) -> Lowering:
    """Instants as what clocks show in UTC: DuckDB calculates with instants in milliseconds, or in floats."""

    def lower(e: Call, args: Sequence[str]) -> str:
        clocks = (
            f"({sql} AT TIME ZONE 'UTC')" if isinstance(arg.type, Timestamp) and arg.type.zone else sql
            for arg, sql in zip(e.args, args, strict=True)
        )
        return template.format(*clocks)

    return lower


def _time(e: Call, args: Sequence[str]) -> str:
    kind = e.args[0].type
    if isinstance(kind, Timestamp) and kind.zone:
        return f"CAST(({args[0]} AT TIME ZONE 'UTC') AS TIME)"
    return f"CAST(CAST({args[0]} AS TIMESTAMP) AS TIME)"


def _strptime(e: Call, args: Sequence[str]) -> str:
    return timestamp_in(args[0], str(_value(e.args[1])))


def _at_time_zone(e: Call, args: Sequence[str]) -> str:
    value = f"CAST({args[0]} AS TIMESTAMP)" if isinstance(e.args[0].type, Date) else args[0]
    return f"({value} AT TIME ZONE {args[1]})"


def _calendar(unit: str) -> str:
    return f"to_{unit}(CAST({{0}} AS INTEGER))"


# Lists and structs ----------------------------------------------------------------------------------------------------


def _list_value(e: Call, args: Sequence[str]) -> str:
    return f"[{', '.join(args)}]" if args else f"CAST([] AS {duckdb_type(e.type)})"


def _list_join(e: Call, args: Sequence[str]) -> str:
    """DuckDB joins with a written separator; with one of each row the items are put together one by one."""
    items, separator = args
    if isinstance(e.args[1], Constant):
        return f"coalesce(array_to_string({items}, {separator}), CASE WHEN {items} IS NOT NULL AND {separator} IS NOT NULL THEN '' END)"
    there = f"list_filter({items}, lambda item: item IS NOT NULL)"
    joined = f"list_reduce({there}, lambda left_side, right_side: left_side || {separator} || right_side)"
    return f"CASE WHEN {separator} IS NOT NULL THEN CASE WHEN len({there}) > 0 THEN {joined} WHEN {items} IS NOT NULL THEN '' END END"


def _struct_value(e: Call, args: Sequence[str]) -> str:
    """Names and values by turns."""
    names = [str(_value(name)) for name in e.args[::2]]
    return (
        "struct_pack("
        + ", ".join(f"{identifier(name)} := {value}" for name, value in zip(names, args[1::2], strict=True))
        + ")"
    )


def _struct_field(e: Call, args: Sequence[str]) -> str:
    return f"struct_extract({args[0]}, {text(str(_value(e.args[1])))})"


TABLE: dict[str, Lowering] = {
    "and": _joined("AND"), "or": _joined("OR"), "not": "(NOT {0})",
    "equal": "({0} = {1})", "not_equal": "({0} <> {1})", "less": "({0} < {1})", "less_or_equal": "({0} <= {1})",
    "greater": "({0} > {1})", "greater_or_equal": "({0} >= {1})", "between": "({0} BETWEEN {1} AND {2})",
    "in": lambda _, args: f"({args[0]} IN ({', '.join(args[1:])}))",
    "is_null": "({0} IS NULL)", "is_true": "({0} IS TRUE)", "is_false": "({0} IS FALSE)",
    "distinct": "({0} IS DISTINCT FROM {1})", "not_distinct": "({0} IS NOT DISTINCT FROM {1})",
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "coalesce": _listed("coalesce({})"), "nullif": "nullif({0}, {1})",
    "greatest": _listed("greatest({})"), "least": _listed("least({})"),
    # numbers
    "add": _add, "subtract": _subtract, "multiply": _multiply,
    "divide": _over_zero("/"), "integer_divide": _over_zero("//"), "modulo": _over_zero("%"), "negate": "(- {0})",
    "abs": _abs, "sign": "CAST(sign({0}) AS BIGINT)", "round": _round,
    "floor": _to_whole("floor"), "ceil": _to_whole("ceil"), "trunc": _to_whole("trunc"),
    "sqrt": "CASE WHEN NOT {0} < 0 THEN sqrt({0}) END",
    "power": "CASE WHEN NOT (({0} < 0 AND {1} <> trunc({1})) OR ({0} = 0 AND {1} < 0)) THEN power({0}, {1}) END",
    "exp": "exp({0})", "ln": "CASE WHEN {0} > 0 THEN ln({0}) END", "log10": "CASE WHEN {0} > 0 THEN log10({0}) END",
    "log2": "CASE WHEN {0} > 0 THEN log2({0}) END",
    "sin": "CASE WHEN NOT isinf({0}) THEN sin({0}) END", "cos": "CASE WHEN NOT isinf({0}) THEN cos({0}) END",
    "atan2": "atan2({0}, {1})", "asin": "CASE WHEN abs({0}) <= 1 OR isnan({0}) THEN asin({0}) END",
    "acos": "CASE WHEN abs({0}) <= 1 OR isnan({0}) THEN acos({0}) END", "radians": "radians({0})",
    "is_nan": "isnan({0})", "is_finite": "isfinite({0})", "is_infinite": "isinf({0})",
    # text
    "concatenate": "({0} || {1})", "like": _like("LIKE"), "ilike": _like("ILIKE"),
    "regexp_matches": "regexp_matches({0}, {1})", "regexp_full_match": "regexp_full_match({0}, {1})", "regexp_extract": _extract_match,
    "regexp_replace": "regexp_replace({0}, {1}, {2}, 'g')",
    "concat": _listed("concat({})"), "concat_ws": _listed("concat_ws({})"),
    "title": "array_to_string(list_transform(string_split(lower({0}), ' '), lambda w: upper(left(w, 1)) || substring(w, 2)), ' ')",
    "length": "length({0})", "lower": "lower({0})", "upper": "upper({0})",
    "trim": _trim, "ltrim": _listed("ltrim({})"), "rtrim": _listed("rtrim({})"),
    "replace": "replace({0}, {1}, {2})", "substring": _substring,
    "left": _not_below("left", 0, "''"), "right": _not_below("right", 0, "''"),
    "lpad": "lpad({0}, CAST({1} AS INTEGER), {2})", "rpad": "rpad({0}, CAST({1} AS INTEGER), {2})", "repeat": "repeat({0}, {1})",
    "reverse": "array_to_string(list_reverse(string_split({0}, '')), '')",
    "split_part": _not_below("split_part", 1, "''"), "position": "instr({0}, {1})",
    "starts_with": "starts_with({0}, {1})", "ends_with": "ends_with({0}, {1})", "contains": "contains({0}, {1})",
    "strip_accents": "strip_accents({0})",
    "chr": "CASE WHEN {0} BETWEEN 1 AND 55295 OR {0} BETWEEN 57344 AND 1114111 THEN chr(CAST({0} AS INTEGER)) END",
    "code": "CAST(nullif(unicode({0}), -1) AS BIGINT)", "md5": "md5({0})", "sha256": "sha256({0})", "levenshtein": "levenshtein({0}, {1})",
    # time
    **{part: f"{part}({{0}})" for part in ("year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow")},
    **{part: f"{part}({{0}})" for part in ("hour", "minute", "second")},
    "date_part": _date_part, "date_trunc": _date_trunc, "date_diff": _date_diff, "date_sub": _on_utc("date_sub({0}, {1}, {2})"),
    "date": "CAST({0} AS DATE)", "time": _time, "last_day": "last_day({0})",
    "make_date": "CASE WHEN {0} BETWEEN 1 AND 9999 THEN TRY(make_date({0}, {1}, {2})) END",
    "make_timestamp": "CASE WHEN {0} BETWEEN 1 AND 9999 AND {3} BETWEEN 0 AND 23 AND {5} < 60 "
    "THEN TRY(make_timestamp({0}, {1}, {2}, {3}, {4}, {5})) END",
    "strptime": _strptime, "strftime": "strftime({0}, {1})", "at_time_zone": _at_time_zone,
    "epoch": _on_utc("epoch({0})"), "epoch_us": "epoch_us({0})",
    "epoch_ms": "(epoch_us({0}) // 1000 - CASE WHEN epoch_us({0}) % 1000 < 0 THEN 1 ELSE 0 END)",
    "from_epoch_us": "CASE WHEN {0} BETWEEN -62135596800000000 AND 253402300799999999 THEN make_timestamp({0}) END",
    "to_timestamp": "CASE WHEN {0} BETWEEN -62135596800 AND 253402300799.999999 THEN to_timestamp({0}) END",
    **{f"to_{unit}": _calendar(unit) for unit in ("years", "months", "weeks", "days")},
    **{f"to_{unit}": f"to_{unit}({{0}})" for unit in ("hours", "minutes", "seconds")},
    # lists, structs, JSON
    "list_value": _list_value, "list_item": "list_extract({0}, {1})", "struct_value": _struct_value, "struct_field": _struct_field,
    "list_length": "CAST(len({0}) AS BIGINT)", "list_contains": "list_contains({0}, {1})",
    "list_position": "CASE WHEN {1} IS NOT NULL THEN CAST(list_position({0}, {1}) AS BIGINT) END",
    "list_slice": "list_slice({0}, {1}, {2})",
    "list_concat": "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN list_concat({0}, {1}) END",
    "list_distinct": "list_sort(list_distinct({0}), 'ASC', 'NULLS LAST')", "list_sort": "list_sort({0}, 'ASC', 'NULLS LAST')",
    "list_reverse": "list_reverse({0})", "list_min": "list_min({0})", "list_max": "list_max({0})",
    "list_join": _list_join,
    "string_split": "string_split({0}, {1})",
    "json_text": "json_extract_string({0}, {1})", "json_value": "json_extract({0}, {1})",
    "json_kind": "CASE json_type({0}) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' "
    "WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' ELSE CASE WHEN {0} IS NOT NULL THEN 'number' END END",
    "json_length": "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS BIGINT) END",
    # bytes
    "encode": "encode({0})", "to_hex": "CASE WHEN {0} >= 0 THEN lower(to_hex({0})) END", "byte_length": "octet_length({0})",
    # windows
    **{name: f"{name}()" for name in ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist")},
    **{name: _listed(name + "({})") for name in ("ntile", "lag", "lead", "first_value", "last_value", "nth_value")},
}  # fmt: skip
