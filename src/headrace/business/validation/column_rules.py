"""The rules that stand beside a single column: required, in, between, bounds, matches, length. Not keys and references."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal as Exact
from decimal import InvalidOperation
from typing import Any

from headrace.business.model.contract import ColumnContract, OnViolation
from headrace.business.model.schema import Column, did_you_mean
from headrace.business.model.types import Boolean, DataType, Date, Decimal, Enum, Float, Integer, String, Time, Timestamp
from headrace.business.processing.expressions.build import any_of, column, constant, length, negate, one_of, test
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.business.processing.expressions.patterns import pattern_problem
from headrace.business.validation.compiled import Rule
from headrace.errors import Problem


class Unfit(ValueError):
    """A value in a rule cannot be compared with its column; the message says why."""


def column_rules(
    name: str, written: ColumnContract, target: Column, default: OnViolation, empty: Expr
) -> tuple[list[Rule], list[Problem]]:
    """The rules of one column, and what is wrong with them. `empty` is true for a cell that holds nothing."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    for option in ("required", "in", "not_in", "between", "at_least", "at_most", "above", "below", "matches", "length"):
        ruled = getattr(written, "in_" if option == "in" else option)
        if ruled is None or ruled.is_ is False:
            continue
        try:
            violated = empty if option == "required" else _violated(option, ruled.is_, column(name, target.type))
        except Unfit as error:
            problems.append(Problem(f"`{option}`: {error}", ("columns", name, option)))
            continue
        action = ruled.on_violation or written.on_violation or default
        rules.append(Rule(f"{name}.{option}", (name,), violated, action, f"{option}: {ruled.is_!r}"))
    return rules, problems


def _violated(option: str, value: Any, cell: Expr) -> Expr:
    if option in ("in", "not_in"):
        words = [_fit(item, cell.type) for item in value]
        if not words:
            raise Unfit("needs at least one value")
        found = one_of(cell, words)
        return negate(found) if option == "in" else found
    if option == "matches":
        return _mismatch(value, cell)
    if option == "length":
        return _length(value, cell)
    return any_of(_out_of_bounds(option, value, cell))


def _out_of_bounds(option: str, value: Any, cell: Expr) -> Iterator[Expr]:
    if not cell.type.is_ordered or isinstance(cell.type, Boolean):
        raise Unfit(f"a column of type {cell.type} has no order")
    low, high = value if option == "between" else (value, value)
    if option == "between" and low is None and high is None:
        raise Unfit("needs at least one bound")
    if option in ("between", "at_least", "above") and low is not None:
        yield test("less_or_equal" if option == "above" else "less", cell, _constant(low, cell.type))
    if option in ("between", "at_most", "below") and high is not None:
        yield test("greater_or_equal" if option == "below" else "greater", cell, _constant(high, cell.type))
    if option == "between" and low is not None and high is not None and _fit(low, cell.type) > _fit(high, cell.type):
        raise Unfit(f"the lower bound {low} is greater than the upper bound {high}")
    if isinstance(cell.type, Float) and (option in ("at_least", "above") or (option == "between" and high is None)):
        # NaN sorts above every number, so only an upper bound would catch it; yet it lies within no bounds.
        yield test("is_nan", cell)


def _mismatch(pattern: str, cell: Expr) -> Expr:
    if not isinstance(cell.type, String | Enum):
        raise Unfit(f"only text can match a pattern, and this column is of type {cell.type}")
    if problem := pattern_problem(pattern):
        raise Unfit(f"`{pattern}` is not a regular expression that RE2 can run: {problem}")
    return negate(test("regexp_matches", cell, constant(pattern, String())))


def _length(value: Any, cell: Expr) -> Expr:
    if not isinstance(cell.type, String | Enum):
        raise Unfit(f"only text has a length, and this column is of type {cell.type}")
    if value.min is None and value.max is None:
        raise Unfit("needs `min` or `max`")
    if value.min is not None and value.min == value.max:
        return test("not_equal", length(cell), constant(value.min, Integer(64)))
    bounds = []
    if value.min is not None:
        bounds.append(test("less", length(cell), constant(value.min, Integer(64))))
    if value.max is not None:
        bounds.append(test("greater", length(cell), constant(value.max, Integer(64))))
    return any_of(bounds)


def _constant(value: Any, kind: DataType) -> Constant:
    return constant(_fit(value, kind), kind)


def _fit(value: Any, kind: DataType) -> Any:
    """The value as the column's type means it. Raises `Unfit`."""
    try:
        fitted = _converted(value, kind)
    except (ValueError, InvalidOperation) as error:
        raise Unfit(f"`{value}` is not of the column's type {kind}") from error
    if isinstance(kind, Enum) and fitted not in kind.values:
        raise Unfit(f"`{value}` is not one of the column's words: {did_you_mean(str(value), kind.values)}")
    return fitted


def _converted(value: Any, kind: DataType) -> Any:  # noqa: C901 - one case per type
    match kind:
        case Boolean():
            if isinstance(value, bool):
                return value
        case Integer() | Float() | Decimal() if isinstance(value, bool):
            pass
        case Integer():
            whole = Exact(str(value))
            if whole == whole.to_integral_value():
                return int(whole)
        case Decimal():
            return Exact(str(value))
        case Float():
            return float(value)
        case Timestamp():
            return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        case Date():
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        case Time():
            return value if isinstance(value, time) else time.fromisoformat(str(value))
        case String() | Enum():
            if isinstance(value, str):
                return value
            raise ValueError("quote it")
    raise ValueError(f"cannot be compared with {kind}")
