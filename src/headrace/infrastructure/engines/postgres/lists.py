"""The functions on lists and JSON in PostgreSQL's SQL. Structs are refused before (see `problems`)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.postgres.calling import OWN, as_result, own, written
from headrace.infrastructure.engines.postgres.collation import by_code_point
from headrace.infrastructure.engines.postgres.literals import text
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.infrastructure.engines.sql.dialect import Lowering

_PATH_PART = re.compile(r'\.([A-Za-z_][\w-]*)|\.("[^"\\]+")|\[(-?\d+)\]')


def _list_value(e: Call, args: Sequence[str]) -> str:
    items = f"ARRAY[{', '.join(args)}]"
    return items if args and "NULL" not in args[0][:12] else as_result(items, e)


def _over_list(name: str) -> Lowering:
    """A function of ours on a list, and what is looked for in it, by code point if that is text."""
    return lambda e, args: f"{OWN}{name}({', '.join([by_code_point(args[0], e.args[0].type), *args[1:]])})"


def _split(e: Call, args: Sequence[str]) -> str:
    separator = written(e.args[1])
    if separator is None:
        return "CAST(NULL AS text[])"
    parts = f'string_to_array({args[0]} COLLATE "C", {"NULL" if separator == "" else args[1]})'
    return f"CASE WHEN {args[0]} = '' THEN ARRAY[''] ELSE {parts} END"


def steps_of(path: str) -> list[str | int]:
    """The names and places of a path such as `$.a[0]`; a bare name is a single step."""
    if not path.startswith("$"):
        return [path]
    found = _PATH_PART.findall(path)
    return [name or (json.loads(quoted) if quoted else int(place)) for name, quoted, place in found]


def _json_part(last: str) -> Lowering:
    """A step after the other: a name means nothing in an array, a place nothing in an object; of equal names the first counts."""

    def lower(e: Call, args: Sequence[str]) -> str:
        path = written(e.args[1])
        if path is None:
            return f"CAST(NULL AS {postgres_type(e.type)})"
        value, steps = args[0], steps_of(str(path))
        for step in steps:
            value = f"{OWN}json_field({value}, {text(step)})" if isinstance(step, str) else f"({value} -> {step})"
        return f"{OWN}{last}({value})"

    return lower


LISTS: dict[str, Lowering] = {
    "list_value": _list_value, "list_item": own("item_at"),
    "list_length": "CAST(cardinality({0}) AS bigint)", "list_contains": _over_list("has_item"), "list_position": _over_list("place_of"),
    "list_slice": own("part_of_list"), "list_concat": "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN {0} || {1} END",
    "list_distinct": _over_list("different_items"), "list_sort": _over_list("in_order"), "list_reverse": own("in_reverse"),
    "list_min": _over_list("least_item"), "list_max": _over_list("greatest_item"),
    "list_join": "array_to_string({0}, {1})", "string_split": _split,
    # Fields are never taken out again: a struct is only counted (see `problems`).
    "struct_value": lambda _, args: f"ROW({', '.join(args[1::2])})",
    "json_text": _json_part("json_as_text"), "json_value": _json_part("json_compact"),
    "json_kind": "json_typeof({0})",
    "json_length": "CASE WHEN json_typeof({0}) = 'array' THEN CAST(json_array_length({0}) AS bigint) END",
}  # fmt: skip
