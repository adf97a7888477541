"""The catalogue: truth, comparison and choice, in SQL's three-valued logic."""

from __future__ import annotations

from headrace.business.processing.expressions.function import STRICT, Function

_LOGIC = "Logic and comparison"


def _operator(signature: str, written: str, meaning: str, example: str, gives: str, nulls: str = STRICT) -> Function:
    return Function(signature, meaning, example, gives, _LOGIC, "operator", nulls, written)


FUNCTIONS = (
    _operator("and(condition: boolean...) -> boolean", "a and b", "True when all are true, false when one is false.", "true and null", "null", "null when none is false and one is null"),
    _operator("or(condition: boolean...) -> boolean", "a or b", "True when one is true, false when all are false.", "true or null", "true", "null when none is true and one is null"),
    _operator("not(condition: boolean) -> boolean", "not a", "The opposite.", "not false", "true"),
    _operator("equal(left: any, right: any) -> boolean", "a = b", "Whether both are the same value. NaN equals NaN, and -0.0 equals 0.0.", "1 = 1.0", "true"),
    _operator("not_equal(left: any, right: any) -> boolean", "a <> b", "The opposite of `=`.", "'a' <> 'A'", "true"),
    _operator("less(left: ordered, right: ordered) -> boolean", "a < b", "Whether the left comes before the right. Text is ordered by code point, false before true, NaN after every number.", "'Z' < 'a'", "true"),
    _operator("less_or_equal(left: ordered, right: ordered) -> boolean", "a <= b", "`<` or `=`.", "2 <= 2", "true"),
    _operator("greater(left: ordered, right: ordered) -> boolean", "a > b", "Whether the left comes after the right.", "'10' > '9'", "false"),
    _operator("greater_or_equal(left: ordered, right: ordered) -> boolean", "a >= b", "`>` or `=`.", "2 >= 3", "false"),
    _operator("between(value: ordered, low: ordered, high: ordered) -> boolean", "x between a and b", "`x >= a and x <= b`: both bounds belong to it.", "5 between 1 and 5", "true", "as `and` has it: false when one side is false already"),
    _operator("in(value: any, item: any...) -> boolean", "x in (a, b)", "Whether the value equals one of the items.", "2 in (1, 2)", "true", "null when no item is equal and the value or an item is null"),
    _operator("is_null(value: any) -> boolean", "x is null", "Whether there is no value. NaN and the empty text are values.", "'' is null", "false", "never null"),
    _operator("is_true(condition: boolean) -> boolean", "x is true", "True only for true.", "null::boolean is true", "false", "never null"),
    _operator("is_false(condition: boolean) -> boolean", "x is false", "True only for false.", "null::boolean is false", "false", "never null"),
    _operator("distinct(left: any, right: any) -> boolean", "a is distinct from b", "`<>` in which null is a value like any other.", "1 is distinct from null", "true", "never null"),
    _operator("not_distinct(left: any, right: any) -> boolean", "a is not distinct from b", "`=` in which null is a value like any other.", "null::int is not distinct from null", "true", "never null"),
    Function("coalesce(value: any...) -> any", "The first value that is not null.", "coalesce(null, 2, 3)", "2", _LOGIC, nulls="null when all are null", aliases=("ifnull",)),
    Function("nullif(value: any, other: any) -> any", "Null when both are equal, else the value.", "nullif('NA', 'NA')", "null", _LOGIC, nulls="the value when the other is null"),
    Function("greatest(value: ordered...) -> ordered", "The one that comes last in order.", "greatest(1, null, 3)", "3", _LOGIC, nulls="nulls are left out; null when all are null"),
    Function("least(value: ordered...) -> ordered", "The one that comes first in order.", "least('b', null, 'a')", "'a'", _LOGIC, nulls="nulls are left out; null when all are null"),
    Function("if(condition: boolean, value: any, other: any) -> any", "The value when the condition is true, else the other. Short for `case when`.", "if(null, 1, 2)", "2", _LOGIC, nulls="a condition that is null is not true"),
)  # fmt: skip
