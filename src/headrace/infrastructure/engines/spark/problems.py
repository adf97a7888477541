"""What Spark cannot carry out, or not with our meaning: said when a pipeline is planned, so that nothing is wrong in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.business.model.types import DataType, Date, Interval, List, Struct, Timestamp
from headrace.business.processing.expressions.ir import Aggregate, Call, Cast, Constant, Expr, SortKey, Subquery, Window
from headrace.business.processing.relation import Dedupe, Distinct, GroupBy, Relation, SetOperation, Sort, expressions
from headrace.infrastructure.engines.spark import regular_expressions
from headrace.infrastructure.engines.spark.aggregate_table import ORDERED, aggregate_problem
from headrace.infrastructure.engines.spark.calling import written
from headrace.infrastructure.engines.spark.casts import cast_problem
from headrace.infrastructure.engines.spark.correlation import subquery_problems
from headrace.infrastructure.engines.spark.dialect import DIALECT
from headrace.infrastructure.engines.spark.function_table import MISSING
from headrace.infrastructure.engines.spark.types import holds_json, is_wide, too_many_digits, type_problem
from headrace.infrastructure.engines.sql.expressions import missing_functions

_USES: dict[str, regular_expressions.Use] = {
    "regexp_matches": "match",
    "regexp_full_match": "match",
    "regexp_extract": "extract",
    "regexp_replace": "replace",
}
#: What compares its arguments with each other.
_COMPARING = {"equal", "not_equal", "in", "distinct", "not_distinct", "nullif", "list_contains", "list_position"}
_INEQUALITIES = {"less", "less_or_equal", "greater", "greater_or_equal", "between", "greatest", "least"}
#: What gives one of its arguments, which have to be of one type for that.
_TAKING_ONE = {"nullif", "greatest", "least", "list_contains", "list_position"}
_NO_ORDER = "Spark orders a list or struct with a null in it before others; order by its parts"
_NO_JSON = "JSON has no equality; take parts of it, or cast it to string"


def plan_problems(e: Expr) -> list[str]:
    """Why an expression cannot be carried out here: one sentence for each reason."""
    called = {node.function for node in e.walk() if isinstance(node, Call)}
    found = [f"the engine spark has no `{name}`: {why}" for name, why in MISSING.items() if name in called]
    found += [why for why in missing_functions(e, DIALECT) if not any(f"`{name}`" in why for name in MISSING)]
    windowed = {id(node.call) for node in e.walk() if isinstance(node, Window)}
    shifts = {id(arg) for node in e.walk() if isinstance(node, Call) and _shifts(node) for arg in node.args}
    for node in e.walk():
        found += _of_node(node, over=id(node) in windowed, shift=id(node) in shifts)
    return list(dict.fromkeys(found))


def relation_problems(relation: Relation) -> list[str]:
    """The same of a relation, with the queries inside of its expressions."""
    found: list[str] = []
    for node in relation.walk():
        found += [f"column `{c.name}`: {why}" for c in node.schema if (why := type_problem(c.type))]
        found += _of_relation(node)
        found += subquery_problems(node)
        for expression in expressions(node):
            found += plan_problems(expression)
            found += [why for part in expression.walk() for inner in part.relations() for why in relation_problems(inner)]
    return list(dict.fromkeys(found))


def _of_relation(relation: Relation) -> Iterator[str]:
    compares = isinstance(relation, Distinct) or (isinstance(relation, SetOperation) and relation.kind != "union_all")
    kinds = [c.type for c in relation.schema] if compares else []
    kinds += [key.type for _, key in relation.keys] if isinstance(relation, GroupBy) else []
    if any(map(holds_json, kinds)):
        yield _NO_JSON
    if isinstance(relation, Sort | Dedupe) and any(_is_list(key.expression.type) for key in _keys(relation)):
        yield _NO_ORDER


def _keys(relation: Sort | Dedupe) -> Sequence[SortKey]:
    return relation.keys if isinstance(relation, Sort) else relation.order


def _is_list(kind: DataType) -> bool:
    return isinstance(kind, List | Struct)


def _shifts(call: Call) -> bool:
    """Whether it moves a moment by an interval, or makes an interval longer: the one use that Spark has for it as we mean it."""
    if call.function not in ("add", "subtract", "multiply"):
        return False
    return isinstance(call.type, Date | Timestamp) or (call.function == "multiply" and isinstance(call.type, Interval))


def _of_node(node: Expr, *, over: bool, shift: bool) -> Iterator[str]:
    calculated = isinstance(node, Call) and is_wide(node.type)
    if (why := type_problem(node.type)) and not calculated and not (shift and isinstance(node.type, Interval)):
        yield why
    if isinstance(node, Aggregate) and (why := aggregate_problem(node, over=over)):
        yield why
    if isinstance(node, Call | Cast | Aggregate) and _hides(node):
        yield "Spark lets no query into what it does item by item, or in an order; make a column of what the query gives first"
    if isinstance(node, Aggregate) and node.distinct and any(holds_json(arg.type) for arg in node.args):
        yield _NO_JSON
    if isinstance(node, Window) and any(_is_list(key.expression.type) for key in node.order_by):
        yield _NO_ORDER
    if isinstance(node, Call):
        yield from _of_call(node)
    if isinstance(node, Cast) and (why := cast_problem(node.value.type, node.type)):
        yield f"the engine spark does not cast {node.value.type} to {node.type}: {why}"


def _hides(node: Call | Cast | Aggregate) -> bool:
    """Whether a query inside would come to stand in a lambda."""
    if not any(isinstance(part, Subquery) for part in node.walk()):
        return False
    if isinstance(node, Aggregate):
        return node.function in ORDERED
    if isinstance(node, Cast):
        return "->" in DIALECT.cast(node, "x")
    lowering = DIALECT.functions.get(node.function, "")
    return "->" in (lowering if isinstance(lowering, str) else lowering(node, [f"x{i}" for i in range(len(node.args))]))


def _of_call(call: Call) -> Iterator[str]:
    name = call.function
    if name in _COMPARING and any(holds_json(arg.type) for arg in call.args):
        yield _NO_JSON
    if name in _TAKING_ONE and too_many_digits([arg.type for arg in call.args]):
        yield "Spark compares these decimals in 38 digits, and they need more; cast them to one type"
    if name in ("integer_divide", "to_hex") and any(is_wide(arg.type) for arg in call.args):
        yield f"Spark has no `{name}` of whole numbers beyond 64 bits; cast them to int64"
    if name in ("like", "ilike") and len(call.args) > 2 and not all(isinstance(arg, Constant) for arg in call.args[1:]):
        yield "Spark takes an escape only beside a pattern that is written out"
    if name in _INEQUALITIES and any(_is_list(arg.type) for arg in call.args):
        yield _NO_ORDER
    use = _USES.get(name)
    pattern = written(call.args[1]) if use else None
    if use is not None and isinstance(pattern, str) and (why := regular_expressions.problem(pattern, use)):
        yield f"the regular expression `{pattern}` cannot be used by the engine spark: {why}"
