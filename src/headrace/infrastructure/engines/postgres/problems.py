"""What PostgreSQL cannot carry out, or not with our meaning: said when a pipeline is planned, so that nothing is wrong in silence."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.business.model.types import Binary, DataType, Json, List, Struct
from headrace.business.processing.expressions.ir import Aggregate, Call, Cast, Constant, Expr, Window
from headrace.business.processing.relation import Dataset, Distinct, GroupBy, Relation, SetOperation, expressions
from headrace.infrastructure.engines.postgres import regular_expressions
from headrace.infrastructure.engines.postgres.aggregate_table import aggregate_problem
from headrace.infrastructure.engines.postgres.calling import written
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.literals import LONGEST_NAME
from headrace.infrastructure.engines.postgres.types import type_problem
from headrace.infrastructure.engines.sql.expressions import missing_functions

#: What compares its arguments with each other.
_COMPARING = {"equal", "not_equal", "in", "distinct", "not_distinct", "nullif", "list_contains", "list_position"}
_USES: dict[str, regular_expressions.Use] = {
    "regexp_matches": "match",
    "regexp_full_match": "match",
    "regexp_extract": "extract",
    "regexp_replace": "replace",
}


def plan_problems(e: Expr) -> list[str]:
    """Why an expression cannot be carried out here: one sentence for each reason."""
    found = list(missing_functions(e, DIALECT))
    windowed = {id(node.call) for node in e.walk() if isinstance(node, Window)}
    counted = {id(arg) for node in e.walk() if isinstance(node, Aggregate) and node.function == "count" for arg in node.args}
    for node in e.walk():
        found += _of_node(node, over=id(node) in windowed, counted=id(node) in counted)
    return list(dict.fromkeys(found))


def relation_problems(relation: Relation) -> list[str]:
    """The same of a relation, with the queries inside of its expressions."""
    found: list[str] = []
    for node in relation.walk():
        found += _of_schema(node)
        found += _of_relation(node)
        for expression in expressions(node):
            found += plan_problems(expression)
            found += [why for part in expression.walk() for inner in part.relations() for why in relation_problems(inner)]
    return list(dict.fromkeys(found))


def name_problem(name: str) -> str | None:
    """Why a name cannot be that of a column or table, or None."""
    if len(name.encode()) > LONGEST_NAME:
        return f"the name `{name}` is longer than the {LONGEST_NAME} bytes that PostgreSQL keeps of a name; rename it"
    return None


def _of_schema(relation: Relation) -> Iterator[str]:
    """Of a dataset only what is read of it counts, which stands in the expressions above it."""
    for column in () if isinstance(relation, Dataset) else relation.schema:
        if why := type_problem(column.type):
            yield f"column `{column.name}`: {why}"
        if why := name_problem(column.name):
            yield why


def _of_relation(relation: Relation) -> Iterator[str]:
    compares = isinstance(relation, Distinct) or (isinstance(relation, SetOperation) and relation.kind != "union_all")
    kinds = [c.type for c in relation.schema] if compares else []
    kinds += [key.type for _, key in relation.keys] if isinstance(relation, GroupBy) else []
    if any(map(_is_json, kinds)):
        yield "PostgreSQL does not compare json values; take parts of them, or cast them to string"


def _of_node(node: Expr, *, over: bool, counted: bool) -> Iterator[str]:
    """`over` a window; `counted` values need no type of their own."""
    if (why := type_problem(node.type)) and not (counted and isinstance(node, Call) and node.function == "struct_value"):
        yield why
    if isinstance(node, Constant) and isinstance(node.value, str) and "\0" in node.value:
        yield "no text in PostgreSQL has the character 0"
    if isinstance(node, Aggregate):
        yield from filter(None, [aggregate_problem(node, over=over)])
        if node.distinct and any(_is_json(arg.type) for arg in node.args):
            yield "PostgreSQL does not compare json values; take parts of them, or cast them to string"
    if isinstance(node, Call):
        yield from _of_call(node)
    if isinstance(node, Cast):
        yield from _of_cast(node)


def _of_call(call: Call) -> Iterator[str]:
    if call.function in _COMPARING and any(_is_json(arg.type) for arg in call.args):
        yield "PostgreSQL does not compare json values; take parts of them, or cast them to string"
    use = _USES.get(call.function)
    pattern = written(call.args[1]) if use else None
    if use is None or not isinstance(pattern, str):
        return
    last = written(call.args[2]) if len(call.args) > 2 else None
    why = regular_expressions.problem(
        pattern, use, str(last) if use == "replace" and last is not None else None, last if isinstance(last, int) else 0
    )
    if why:
        yield f"the regular expression `{pattern}` cannot be used by the engine postgres: {why}"


def _of_cast(cast: Cast) -> Iterator[str]:
    if isinstance(cast.type, Json) and isinstance(cast.value.type, Binary):
        yield "PostgreSQL writes bytes into json in a notation of its own; cast them to string first"
    words = (*cast.format.true_words, *cast.format.false_words, cast.format.pattern or "")
    if any("\0" in word for word in words):
        yield "no text in PostgreSQL has the character 0"


def _is_json(kind: DataType) -> bool:
    if isinstance(kind, Struct):
        return any(_is_json(field) for _, field in kind.fields)
    return isinstance(kind, Json) or (isinstance(kind, List) and _is_json(kind.item))
