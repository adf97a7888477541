"""The values of a pipeline's parameters: given ones over defaults, each read as its declared type. Not where they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from headrace.business.model.definition import Parameter
from headrace.business.model.references import plain
from headrace.business.model.schema import did_you_mean
from headrace.errors import Problem

_WORDS = {"int": "a whole number", "float": "a number", "boolean": "true or false", "date": "a date such as 2013-01-31",
          "timestamp": "a point in time such as 2013-01-31 12:00:00"}  # fmt: skip
_STAND_INS: Mapping[str, Any] = {
    "string": "value", "int": 1, "float": 1.0, "boolean": True, "date": date(2000, 1, 1), "timestamp": datetime(2000, 1, 1),  # noqa: DTZ001
}  # fmt: skip


def values_of(
    declared: Mapping[str, Parameter], given: Mapping[str, Any], *, stand_ins: bool = False
) -> tuple[dict[str, Any], list[Problem]]:
    """A value for each parameter, and what is wrong. With `stand_ins`, a required one that is not given has any value of its type."""
    problems = [
        Problem(
            f"parameter `{name}` is given, but the pipeline has none of that name",
            ("params",),
            did_you_mean(name, declared),
            on_key=True,
        )
        for name in given
        if name not in declared
    ]
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        chosen = given.get(name, parameter.default)
        if chosen is None and parameter.required:
            if stand_ins:
                values[name] = _STAND_INS[parameter.type]
            else:
                problems.append(
                    Problem(f"parameter `{name}` has no value", ("params", name), f"give it: --param {name}=...", on_key=True)
                )
            continue
        try:
            values[name] = None if chosen is None else _read(chosen, parameter.type)
        except ValueError:
            message = f"parameter `{name}` must be {_WORDS[parameter.type]}, not `{plain(chosen)}`"
            problems.append(Problem(message, ("params", name) if name in given else ("params", name, "default")))
    return values, problems


def _read(value: Any, kind: str) -> Any:
    """A value, or its text, as the type. Raises `ValueError`."""
    if kind == "string":
        return plain(value)
    if kind in ("date", "timestamp"):
        text = plain(value)
        return date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}[str(value).lower()] if str(value).lower() in ("true", "false") else _refuse(value)
    if isinstance(value, bool):
        _refuse(value)
    if kind == "int":
        return int(str(value)) if re.fullmatch(r"[-+]?\d{1,400}", str(value), re.ASCII) else _refuse(value)
    return float(str(value))


def _refuse(value: Any) -> Any:
    raise ValueError(value)
