"""The catalogue: every function that an expression may call, and no other. Its meaning is the same on every engine."""

from __future__ import annotations

from functools import lru_cache

from headrace.business.model.schema import did_you_mean
from headrace.business.processing.expressions import (
    functions_aggregate,
    functions_convert,
    functions_logic,
    functions_nested,
    functions_number,
    functions_text,
    functions_time,
    functions_window,
)  # fmt: skip
from headrace.business.processing.expressions.elsewhere import ELSEWHERE
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import Function

_FAMILIES = (
    functions_logic, functions_number, functions_text, functions_time, functions_nested, functions_convert, functions_aggregate,
    functions_window,
)  # fmt: skip

FUNCTIONS: tuple[Function, ...] = tuple(function for family in _FAMILIES for function in family.FUNCTIONS)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Function]:
    return {name: function for function in FUNCTIONS for name in (function.name, *function.aliases)}


def function(name: str) -> Function:
    """The function of that name, whatever its case. Raises `BindError` with the nearest name."""
    found = _by_name().get(name.lower())
    if found is None:
        raise BindError(f"there is no function `{name}`", ELSEWHERE.get(name.lower()) or did_you_mean(name, _callable()))
    if found.kind == "operator":
        raise BindError(f"`{name}` is not called by name", f"write `{found.written}`")
    return found


def entry(name: str) -> Function:
    """An entry by its exact name, operators included."""
    return _by_name()[name]


def _callable() -> list[str]:
    return [name for name, found in _by_name().items() if found.kind != "operator"]
