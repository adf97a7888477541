"""The small language of signatures: `date_trunc(unit: unit, value: moment) -> moment`. Not what functions mean.

A parameter's kind is a type (`string`), or a group of types (`number`); the same group twice is the same type. `[x: kind]` may be
left out, `x: kind...` may be repeated; `constant` asks for a literal; `list<any>` and `list<string>` are lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import (
    DataType,
    Date,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.business.processing.expressions.coercion import a, alike, clash_hint, coerce
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.records import record

UNITS = ("microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
PARTS = ("year", "isoyear", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow", "hour", "minute", "second",
         "millisecond", "microsecond")  # fmt: skip
_WORDS = {"unit": UNITS, "part": PARTS}
_OTHER_WORDS = {"doy": "dayofyear", "dow": "dayofweek", "weekday": "dayofweek", "weekofyear": "week"}

_GROUPS: dict[str, tuple[str, Callable[[DataType], bool]]] = {
    "any": ("anything", lambda _: True),
    "ordered": ("something that can be ordered", lambda kind: kind.is_ordered),
    "number": ("a number", lambda kind: kind.is_number),
    "integer": ("a whole number", lambda kind: isinstance(kind, Integer)),
    "float": ("a float", lambda kind: isinstance(kind, Float)),
    "moment": ("a date or a timestamp", lambda kind: isinstance(kind, Date | Timestamp)),
    "struct": ("a struct", lambda kind: isinstance(kind, Struct)),
}
_DEFAULTS: dict[str, DataType] = {"number": Integer(64), "integer": Integer(64), "float": Float(64), "moment": Timestamp()}


@record
class Parameter:
    name: str
    kind: str
    constant: bool = False
    optional: bool = False
    repeated: bool = False

    @property
    def group(self) -> str | None:
        inner = self.kind.removeprefix("list<").removesuffix(">")
        return inner if inner in _GROUPS else None

    @property
    def is_list(self) -> bool:
        return self.kind.startswith("list<")


@lru_cache(maxsize=512)
def parameters(signature: str) -> tuple[tuple[Parameter, ...], str]:
    """The parameters of a signature, and the kind of its result."""
    call, _, result = signature.partition(") -> ")
    listed = call.partition("(")[2]
    return tuple(_parameter(part) for part in re.split(r",\s*", listed) if part), result


def _parameter(text: str) -> Parameter:
    optional, repeated = text.startswith("["), text.endswith("...")
    name, _, kind = text.strip("[]").removesuffix("...").partition(": ")
    constant = kind.startswith("constant ")
    return Parameter(name, kind.removeprefix("constant "), constant, optional, repeated)


def apply(function: Function, given: Sequence[Expr]) -> tuple[tuple[Expr, ...], DataType]:
    """The arguments as the function takes them, and the type of its result. Raises `BindError`."""
    declared, result = parameters(function.signature)
    taken = _pair(function, declared, given)
    args: list[Expr] = [_fixed(parameter, value, i) for i, (parameter, value) in enumerate(zip(taken, given, strict=True))]
    groups = {parameter.group: Null() for parameter in taken if parameter.group}
    kinds: dict[str, DataType] = {group: _unify(function, group, taken, args) for group in groups if group}
    if function.check is not None:
        function.check(args)
    if function.result is not None:
        return tuple(args), function.result(args)
    return tuple(args), _type_of(result, kinds)


def _pair(function: Function, declared: Sequence[Parameter], given: Sequence[Expr]) -> list[Parameter]:
    """The parameter that each argument stands for."""
    least = sum(not p.optional for p in declared)
    most = None if declared and declared[-1].repeated else len(declared)
    if len(given) < least or (most is not None and len(given) > most):
        plural = "" if len(given) == 1 else "s"
        raise BindError(f"`{function.name}` does not take {len(given)} argument{plural}", f"it is {function.signature}")
    return [declared[min(i, len(declared) - 1)] for i in range(len(given))]


def _fixed(parameter: Parameter, value: Expr, i: int) -> Expr:
    """An argument whose parameter says by itself what it must be."""
    if parameter.constant and not isinstance(value, Constant):
        raise BindError(f"`{parameter.name}` must be written out, it cannot come from a column", None, i)
    if parameter.group:
        return value
    try:
        return _word(parameter.kind, value) if parameter.kind in _WORDS else widened(value, parse_type(parameter.kind))
    except BindError as error:
        raise BindError(error.message, error.hint, i) from None


def widened(value: Expr, kind: DataType) -> Expr:
    """As `coerce`, but any integer may stand where a 64-bit one is asked for, and json nowhere but where json is."""
    if isinstance(kind, Json) and isinstance(value.type, String):
        raise BindError(f"this is {a(value.type)}, where json is needed", "cast it: `cast(x as json)`")
    if (
        isinstance(kind, Integer)
        and isinstance(value.type, Integer)
        and not isinstance(value, Constant)
        and value.type.bits > kind.bits
    ):
        raise BindError(f"this is {a(value.type)}, where {a(kind)} is needed", f"cast it: `cast(x as {kind})`")
    return coerce(value, kind)


def _word(kind: str, value: Expr) -> Expr:
    words = _WORDS[kind]
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        raise BindError(f"the {kind} must be written out", f"one of {', '.join(words)}")
    word = value.value.lower()
    word = _OTHER_WORDS.get(word, word)
    for known in (word, word.removesuffix("s")):
        if known in words:
            return Constant(value.type, known)
    raise BindError(f"`{value.value}` is not a {kind}", did_you_mean(word, words))


def _unify(function: Function, group: str, taken: Sequence[Parameter], args: list[Expr]) -> DataType:
    """Bring all arguments of one group to one type, in place."""
    words, belongs = _GROUPS[group]
    places = [i for i, parameter in enumerate(taken) if parameter.group == group]
    for i in places:
        kind = args[i].type
        if taken[i].is_list and not isinstance(kind, List | Null):
            raise BindError(f"`{function.name}` needs a list here, and this is {a(kind)}", None, i)
        inner = kind.item if taken[i].is_list and isinstance(kind, List) else kind
        if not isinstance(inner, Null) and not belongs(inner):
            raise BindError(f"`{function.name}` needs {words} here, and this is {a(inner)}", _group_hint(group, inner), i)
    lists = [i for i in places if taken[i].is_list]
    kind = _list_item(args, lists, places) if lists else _single(group, args, places)
    for i in places:
        args[i] = coerce(args[i], List(kind) if taken[i].is_list else kind)
    return kind


def _single(group: str, args: list[Expr], places: list[int]) -> DataType:
    try:
        kind = alike(tuple(args[i] for i in places), "brought together")[0].type
    except BindError as error:
        raise BindError(error.message, error.hint, places[error.argument] if error.argument is not None else None) from None
    return _DEFAULTS.get(group, kind) if isinstance(kind, Null) else kind


def _list_item(args: list[Expr], lists: list[int], places: list[int]) -> DataType:
    kinds = alike(tuple(args[i] for i in lists), "brought together")[0].type
    item = kinds.item if isinstance(kinds, List) else Null()
    for i in places:
        if i not in lists:
            try:
                coerce(args[i], item)
            except BindError as error:
                raise BindError(error.message, error.hint, i) from None
    return item


def _group_hint(group: str, kind: DataType) -> str | None:
    wanted = {"number": Integer(64), "integer": Integer(64), "moment": Date()}.get(group)
    if isinstance(kind, Interval) and group == "moment":
        return "an interval can be added to a moment: `d + interval '1 day'`"
    return clash_hint(kind, wanted) if wanted else None


def _type_of(written: str, kinds: dict[str, DataType]) -> DataType:
    if written in kinds:
        return kinds[written]
    if written.startswith("list<") and (item := kinds.get(written[5:-1])) is not None:
        return List(item)
    return parse_type(written)
