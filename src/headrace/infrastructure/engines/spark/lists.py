"""The functions on lists and structs in Spark's SQL."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import as_result, big, small, written
from headrace.infrastructure.engines.spark.naming import identifier, text
from headrace.infrastructure.engines.sql.dialect import Lowering


def _list_value(e: Call, args: Sequence[str]) -> str:
    return as_result(f"array({', '.join(args)})", e)


def _item(e: Call, args: Sequence[str]) -> str:
    return f"CASE WHEN {args[1]} <> 0 THEN try_element_at({args[0]}, {small(args[1], e.args[1])}) END"


def _slice(_: Call, args: Sequence[str]) -> str:
    """Places from 1 on, both included; below zero they count from the end."""
    items, size = args[0], f"CAST(size({args[0]}) AS BIGINT)"
    first, last = (f"CASE WHEN {place} < 0 THEN {size} + {place} + 1 ELSE {place} END" for place in args[1:])
    start = f"greatest({first}, 1L)"
    count = f"greatest(least({last}, {size}) - {start} + 1, 0L)"
    return (
        f"CASE WHEN {items} IS NOT NULL AND {args[1]} IS NOT NULL AND {args[2]} IS NOT NULL THEN "
        f"CASE WHEN {start} > {size} THEN slice({items}, 1, 0) ELSE slice({items}, CAST({start} AS INT), CAST({count} AS INT)) END END"
    )


def _struct_value(e: Call, args: Sequence[str]) -> str:
    """Names and values by turns."""
    names = [text(str(written(name))) for name in e.args[::2]]
    pairs = (f"{name}, {value}" for name, value in zip(names, args[1::2], strict=True))
    return f"named_struct({', '.join(pairs)})"


def _struct_field(e: Call, args: Sequence[str]) -> str:
    return f"({args[0]}).{identifier(str(written(e.args[1])))}"


_GIVEN = "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN "

LISTS: dict[str, Lowering] = {
    "list_value": _list_value, "list_item": _item, "struct_value": _struct_value, "struct_field": _struct_field,
    "list_length": big("size({0})"),
    "list_contains": _GIVEN + "coalesce(array_contains({0}, {1}), false) END",
    "list_position": "CASE WHEN {1} IS NOT NULL THEN nullif(array_position({0}, {1}), 0L) END",
    "list_slice": _slice, "list_concat": _GIVEN + "concat({0}, {1}) END",
    "list_distinct": "array_sort(array_distinct(array_compact({0})))", "list_sort": "array_sort({0})", "list_reverse": "reverse({0})",
    "list_min": "array_min({0})", "list_max": "array_max({0})", "list_join": "array_join({0}, {1})",
}  # fmt: skip
