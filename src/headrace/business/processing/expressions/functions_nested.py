"""The catalogue: lists, structs and JSON. Positions in lists count from 1, or from the end when negative."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import DataType, Struct
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import STRICT, Function
from headrace.business.processing.expressions.ir import Constant, Expr

_NESTED = "Lists, structs and JSON"
_PATH = re.compile(r'\$(\.[A-Za-z_][\w-]*|\."[^"\\]+"|\[-?\d+\])*')


def _path(args: Sequence[Expr]) -> None:
    path = args[1]
    if isinstance(path, Constant) and not _PATH.fullmatch(str(path.value)):
        raise BindError(f"`{path.value}` is not a path in JSON", 'a path is written `$.name`, `$.list[0]` or `$."odd name"`', 1)


def _field_type(args: Sequence[Expr]) -> DataType:
    struct, name = args
    fields = dict(struct.type.fields) if isinstance(struct.type, Struct) else {}
    word = str(name.value) if isinstance(name, Constant) else ""
    for known, kind in fields.items():
        if known.lower() == word.lower():
            return kind
    raise BindError(f"there is no field `{word}`", did_you_mean(word, fields), 1)


def _nested(signature: str, meaning: str, example: str, gives: str, *aliases: str, nulls: str = STRICT) -> Function:
    return Function(signature, meaning, example, gives, _NESTED, nulls=nulls, aliases=aliases)


FUNCTIONS = (
    Function("list_value([item: any...]) -> list<any>", "A list of these items.", "[1, 2.5]", "[1, 2.5]", _NESTED, "operator", "never null", "[a, b]"),
    Function("list_item(items: list<any>, place: int64) -> any", "The item at a place, the first is 1, the last -1; null when there is none.", "['a', 'b'][-1]", "'b'", _NESTED, "operator", "null when an argument is null or the place is outside", "items[1]"),
    Function("struct_value([part: any...]) -> struct", "A struct of these fields.", "{'a': 1, 'b': 'x'}", "{'a': 1, 'b': 'x'}", _NESTED, "operator", "never null", "{'a': 1}"),
    Function("struct_field(value: struct, name: constant string) -> any", "A field of a struct.", "{'a': 1}.a", "1", _NESTED, "operator", STRICT, "s.a", result=_field_type),
    _nested("list_length(items: list<any>) -> int64", "How many items there are, nulls included.", "list_length([1, null])", "2", "array_length"),
    _nested("list_contains(items: list<any>, item: any) -> boolean", "Whether the list has the item.", "list_contains([1, 2], 2)", "true", "list_has", "array_contains"),
    _nested("list_position(items: list<any>, item: any) -> int64", "The place of the first such item; null when there is none.", "list_position(['a', 'b'], 'b')", "2", "list_indexof", nulls="null when an argument is null or there is no such item"),
    _nested("list_slice(items: list<any>, start: int64, stop: int64) -> list<any>", "The items from one place to another, both included; also `items[2:3]`.", "list_slice([1, 2, 3], 2, 3)", "[2, 3]", "array_slice"),
    _nested("list_concat(left: list<any>, right: list<any>) -> list<any>", "One list after the other.", "list_concat([1], [2])", "[1, 2]"),
    _nested("list_distinct(items: list<ordered>) -> list<ordered>", "The different items, in order, without nulls.", "list_distinct([3, 1, null, 1])", "[1, 3]"),
    _nested("list_sort(items: list<ordered>) -> list<ordered>", "The items in order, nulls last.", "list_sort([3, null, 1])", "[1, 3, null]"),
    _nested("list_reverse(items: list<any>) -> list<any>", "The items in reverse order.", "list_reverse([1, 2])", "[2, 1]"),
    _nested("list_min(items: list<ordered>) -> ordered", "The least item.", "list_min([3, null, 1])", "1", nulls="null items are left out; null when nothing is left"),
    _nested("list_max(items: list<ordered>) -> ordered", "The greatest item.", "list_max([3, null, 1])", "3", nulls="null items are left out; null when nothing is left"),
    _nested("list_join(items: list<string>, separator: string) -> string", "The texts with the separator between them.", "list_join(['a', null, 'b'], ',')", "'a,b'", "array_to_string", nulls="null items are left out; null when an argument is null"),
    _nested("string_split(text: string, separator: constant string) -> list<string>", "The parts between separators. An empty separator parts all characters.", "string_split('a,b', ',')", "['a', 'b']", "split", "str_split", "string_to_array"),
    Function("json_text(value: json, path: constant string) -> string", "What is at a path of a JSON value, as text: a text without its quotes, anything else as JSON. Also `value ->> '$.a'`, and `value ->> 'a'` for the field of that name.", """json_text(cast('{"a": [1, "x"]}' as json), '$.a[1]')""", "'x'", _NESTED, nulls="null when the value is null, there is nothing, or it is a JSON null", aliases=("json_extract_string",), check=_path),
    Function("json_value(value: json, path: constant string) -> json", "What is at a path of a JSON value, as JSON. Also `value -> '$.a'`.", """cast(json_value(cast('{"a": [1, 2]}' as json), '$.a') as string)""", "'[1,2]'", _NESTED, nulls="null when the value is null or there is nothing", aliases=("json_extract",), check=_path),
    _nested("json_kind(value: json) -> string", "What the value is: object, array, string, number, boolean or null.", "json_kind(cast('[1]' as json))", "'array'"),
    _nested("json_length(value: json) -> int64", "How many items an array has; null for anything else.", "json_length(cast('[1, 2]' as json))", "2", "json_array_length", nulls="null when the value is null or no array"),
)  # fmt: skip
