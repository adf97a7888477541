"""What Snowflake cannot carry out, or not with our meaning: said when a pipeline is planned, so that nothing is wrong in silence."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.business.model.types import Decimal, Time
from headrace.business.processing.expressions.ir import Aggregate, Call, Cast, Constant, Expr, Window
from headrace.business.processing.relation import GroupBy, Relation, Unnest, expressions
from headrace.infrastructure.engines.snowflake import patterns
from headrace.infrastructure.engines.snowflake.aggregate_table import aggregate_problem
from headrace.infrastructure.engines.snowflake.calling import written
from headrace.infrastructure.engines.snowflake.casts import cast_problem
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.texts import LITERAL_ONLY
from headrace.infrastructure.engines.snowflake.times import UNKNOWN_PARTS
from headrace.infrastructure.engines.snowflake.types import type_problem
from headrace.infrastructure.engines.sql.expressions import missing_functions
from headrace.infrastructure.snowflake.names import name_problems

#: Snowflake rounds a product behind so many digits, unless a factor has more.
_DIGITS_OF_PRODUCTS = 12


def plan_problems(e: Expr) -> list[str]:
    """Why an expression cannot be carried out here: one sentence for each reason."""
    found = list(missing_functions(e, DIALECT))
    windowed = {id(node.call) for node in e.walk() if isinstance(node, Window)}
    for node in e.walk():
        found += _of_node(node, over=id(node) in windowed)
    return list(dict.fromkeys(found))


def relation_problems(relation: Relation) -> list[str]:
    """The same of a relation, with the queries inside of its expressions."""
    found: list[str] = []
    for node in relation.walk():
        found += [f"column `{c.name}`: {why}" for c in node.schema if (why := type_problem(c.type))]
        found += name_problems(node.schema.names)
        found += _of_relation(node)
        for expression in expressions(node):
            found += plan_problems(expression)
            found += [why for part in expression.walk() for inner in part.relations() for why in relation_problems(inner)]
    return list(dict.fromkeys(found))


def _of_relation(relation: Relation) -> Iterator[str]:
    if isinstance(relation, Unnest):
        yield "Snowflake's arrays hold values without a type of ours, so nothing is unnested there"
    if isinstance(relation, GroupBy) and any(isinstance(key, Constant) for _, key in relation.keys):
        yield "Snowflake reads a constant to group by as the place of a column; leave it out"


def _of_node(node: Expr, *, over: bool) -> Iterator[str]:
    """`over` a window."""
    if why := type_problem(node.type):
        yield why
    if isinstance(node, Constant) and isinstance(node.value, str) and "\0" in node.value:
        yield "a text with the character 0 cannot stand in a statement"
    if isinstance(node, Aggregate) and node.function in DIALECT.aggregates:
        yield from filter(None, [aggregate_problem(node, over=over)])
    if isinstance(node, Call):
        yield from _of_call(node)
    if isinstance(node, Cast) and (why := cast_problem(node)):
        yield why
    if isinstance(node, Window):
        yield from _of_window(node)


def _of_call(call: Call) -> Iterator[str]:
    pattern = written(call.args[1]) if call.function in ("regexp_matches", "regexp_full_match") else None
    if isinstance(pattern, str) and (why := patterns.problem(pattern)):
        yield f"the regular expression `{pattern}` cannot be used by the engine snowflake: {why}"
    if call.function == "regexp_replace":
        pattern, other = written(call.args[1]), written(call.args[2])
        if isinstance(pattern, str) and (why := patterns.replacing_problem(pattern, str(other))):
            yield f"matches of `{pattern}` cannot be replaced by the engine snowflake: {why}"
    for place, least in LITERAL_ONLY.get(call.function, {}).items():
        if place < len(call.args) and not _is_at_least(written(call.args[place]), least):
            yield f"`{call.function}` takes only literals of at least {least} there in the engine snowflake (argument {place + 1})"
    if call.function == "date_part" and written(call.args[0]) in UNKNOWN_PARTS:
        yield f"Snowflake has no part `{written(call.args[0])}` of a moment"
    if call.function == "multiply" and isinstance(call.type, Decimal):
        yield from _of_product(call)
    if call.function in ("greatest", "least") and any(isinstance(arg.type, Time) for arg in call.args):
        yield f"whether Snowflake's `{call.function}` takes times is not said"


def _of_product(call: Call) -> Iterator[str]:
    scales = [arg.type.scale if isinstance(arg.type, Decimal) else 0 for arg in call.args]
    if sum(scales) > max(*scales, _DIGITS_OF_PRODUCTS):
        yield f"Snowflake rounds this product, which has {sum(scales)} digits behind the point; cast a factor to fewer"


def _is_at_least(value: object, least: int) -> bool:
    return (isinstance(value, str) and len(value) >= least) or (isinstance(value, int) and value >= least)


def _of_window(window: Window) -> Iterator[str]:
    call, frame = window.call, window.frame
    name = call.function if isinstance(call, Call | Aggregate) else ""
    if name in ("first_value", "last_value") and frame is None:
        yield f"`{name}` looks over all rows of the window in Snowflake; say which with `rows between`"
    if frame is not None and frame.unit == "range" and (frame.start[1] is not None or frame.end[1] is not None):
        yield "Snowflake measures distances in `range` otherwise; use `rows between`"
    if isinstance(call, Call) and name in ("lag", "lead", "ntile"):
        counted = call.args[1:2] if name != "ntile" else call.args[:1]
        if any(not _is_at_least(written(arg), 0) for arg in counted):
            yield f"`{name}` takes only literals from 0 on in the engine snowflake"
