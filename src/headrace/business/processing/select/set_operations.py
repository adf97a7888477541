"""`UNION`, `INTERSECT` and `EXCEPT`: which binds first, and how columns of several queries become the same. Not the queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType
from headrace.business.processing.expressions.coercion import coerce, common_type
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Constant, Expr
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Distinct, Relation, SetOperation
from headrace.business.processing.select.grammar import refuse, understood
from headrace.business.processing.select.names import Names
from headrace.business.processing.select.ordering import MODIFIERS
from headrace.business.processing.select.projection import projected
from headrace.business.processing.select.scope import Answer, Setting
from headrace.business.processing.select.windows import row_number

if TYPE_CHECKING:
    from sqlglot import exp

KINDS: dict[str, Literal["union_all", "intersect", "except"]] = {
    "union": "union_all", "intersect": "intersect", "except": "except",
}  # fmt: skip


@dataclass(frozen=True)
class Operand:
    """A query of a chain of set operations, with the operation that stands before it."""

    node: exp.Expression
    operation: exp.Expression
    """For the first, the whole chain: nothing stands before it."""


def bind_set_operation(top: exp.Expression, setting: Setting, *, named: bool) -> Answer:
    """The combined rows. The order and limit of the whole chain are not applied here."""
    operands = _chain(top, setting.text)
    by_name = any(o.operation.args.get("by_name") for o in operands[1:])
    terms: list[tuple[Answer, exp.Expression]] = []
    for number, operand in enumerate(operands):
        answer = setting.bind_query(operand.node, setting, named=by_name or (named and number == 0))
        if number and operand.operation.key == "intersect":
            before, operation = terms.pop()  # it binds stronger than the others
            terms.append((_combined(before, answer, operand.operation, operand.node, setting), operation))
        else:
            terms.append((answer, operand.operation))
    result, _ = terms[0]
    places = [o.node for o in operands[1:] if o.operation.key != "intersect"]
    for (answer, operation), place in zip(terms[1:], places, strict=True):
        result = _combined(result, answer, operation, place, setting)
    return result


def _chain(top: exp.Expression, text: str) -> list[Operand]:
    """The operands from left to right; SQLGlot nests them to the left and puts the order of the whole at the top."""
    operands: list[Operand] = []
    node = top
    outside: tuple[str, ...] = ("with_", *MODIFIERS)
    while node.key in KINDS:
        understood(text, node, "this", "expression", "distinct", "by_name", *outside)
        operands.append(Operand(node.expression, node))
        node, outside = node.this, ()
    operands.append(Operand(node, top))
    operands.reverse()
    for operand in operands[:-1]:
        for part in MODIFIERS if operand.node.key == "select" else ():
            if operand.node.args.get(part) is not None:
                words = "ORDER BY" if part == "order" else part.upper()
                message = f"`{words}` before a set operation orders or cuts only one part of it"
                refuse(text, operand.node.args[part], message, part, "put that part in brackets")
    return operands


def _combined(left: Answer, right: Answer, operation: exp.Expression, place: exp.Expression, setting: Setting) -> Answer:
    kind, distinct = KINDS[operation.key], bool(operation.args.get("distinct"))
    if operation.args.get("by_name"):
        if kind != "union_all":
            raise ExpressionError(f"`{operation.key.upper()} BY NAME` is not understood", start_of(place))
        left, right = _by_name(left, right, setting.names_of_result())
    schema = _common_schema(left.relation.schema, right.relation.schema, place)
    first, second = _as(left.relation, schema), _as(right.relation, schema)
    if kind == "union_all":
        return Answer(_united(schema, first, second, distinct=distinct), left.names)
    if distinct:
        return Answer(SetOperation(schema, (first, second), kind), left.names)
    return Answer(_counted(first, second, kind), left.names)


def _united(schema: Schema, left: Relation, right: Relation, *, distinct: bool) -> Relation:
    """A chain of equal unions is one union of many parts."""
    before = left.input if distinct and isinstance(left, Distinct) else left
    parts = before.parts if isinstance(before, SetOperation) and before.kind == "union_all" else (left,)
    together = SetOperation(schema, (*parts, right))
    return Distinct(schema, together) if distinct else together


def _counted(left: Relation, right: Relation, kind: Literal["intersect", "except"]) -> Relation:
    """With `ALL`, equal rows are told apart by a number, so that two of them stay two."""
    sides = tuple(_numbered(side) for side in (left, right))
    both = SetOperation(sides[0].schema, sides, kind)
    return projected(both, [(c.name, ColumnRef(c.type, c.name)) for c in left.schema])


def _numbered(relation: Relation) -> Relation:
    names = Names()
    columns: list[tuple[str, Expr]] = [(names.fresh(c.name), ColumnRef(c.type, c.name)) for c in relation.schema]
    number = row_number([column for _, column in columns], ())
    return projected(relation, [*columns, (names.fresh("number"), number)])


def _by_name(left: Answer, right: Answer, unique: Names) -> tuple[Answer, Answer]:
    """Both with the columns of either; what a side lacks is null there."""
    own = {name.lower() for name in left.names}
    names = (*left.names, *(name for name in right.names if name.lower() not in own))
    places = [(name, unique.fresh(name)) for name in names]
    kinds = {name.lower(): c.type for side in (right, left) for name, c in zip(side.names, side.relation.schema, strict=True)}

    def filled(side: Answer) -> Answer:
        known = {name.lower(): ColumnRef(c.type, c.name) for name, c in zip(side.names, side.relation.schema, strict=True)}
        columns = [(place, known.get(name.lower()) or Constant(kinds[name.lower()], None)) for name, place in places]
        return Answer(projected(side.relation, columns), names)

    return filled(left), filled(right)


def _common_schema(left: Schema, right: Schema, place: exp.Expression) -> Schema:
    if len(left) != len(right):
        message = f"both sides need as many columns: here are {len(left)} and {len(right)}"
        raise ExpressionError(message, start_of(place), "to match columns by their names write `UNION ALL BY NAME`")
    return Schema(tuple(_common_column(first, second, place) for first, second in zip(left, right, strict=True)))


def _common_column(first: Column, second: Column, place: exp.Expression) -> Column:
    kind: DataType | None = common_type(first.type, second.type)
    if kind is None:
        message = f"the column `{first.name}` is {first.type} on one side and {second.type} on the other"
        raise ExpressionError(message, start_of(place), "cast one of them")
    classification = first.classification or second.classification
    return Column(first.name, kind, first.nullable or second.nullable, classification)


def _as(relation: Relation, schema: Schema) -> Relation:
    """The relation with these names and types."""
    wanted = [
        (column.name, coerce(ColumnRef(own.type, own.name), column.type))
        for own, column in zip(relation.schema, schema, strict=True)
    ]
    return projected(relation, wanted)
