"""`VALUES`: rows that are written out in the text. Not rows from anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.coercion import alike
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Constant, Expr
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Values
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.grammar import understood
from headrace.business.processing.select.scope import Answer, QueryScope, Setting
from headrace.business.processing.select.source import one_row

if TYPE_CHECKING:
    from sqlglot import exp


def bind_values(node: exp.Expression, setting: Setting) -> Answer:
    """Columns are called `col0`, `col1` and so on, as DuckDB calls them; each has one type that all of its values fit."""
    understood(setting.text, node, "expressions", "alias", "with_", "order", "limit", "offset")
    rows = [row.expressions if row.key == "tuple" else [row.this if row.key == "paren" else row] for row in node.expressions]
    for row in rows:
        if len(row) != len(rows[0]):
            message = f"this row has {len(row)} values, and the first has {len(rows[0])}"
            raise ExpressionError(message, start_of(row[0]) if row else start_of(node))
    columns = [_column([row[number] for row in rows], setting) for number in range(len(rows[0]))]
    names, result = tuple(f"col{number}" for number in range(len(columns))), setting.names_of_result()
    schema = Schema(tuple(_described(result.fresh(name), values) for name, values in zip(names, columns, strict=True)))
    return Answer(Values(schema, tuple(zip(*columns, strict=True))), names)


def _column(nodes: list[exp.Expression], setting: Setting) -> tuple[Expr, ...]:
    names = setting.names()
    clause = Clause(QueryScope(one_row(names), names, setting))
    values = tuple(clause.bind(node) for node in nodes)
    for value, node in zip(values, nodes, strict=True):
        if any(isinstance(part, ColumnRef) for part in value.walk()):
            raise ExpressionError("a written row cannot read columns", start_of(node), "select from the query around instead")
    try:
        return alike(values, "in one column")
    except BindError as error:
        raise ExpressionError(error.message, start_of(nodes[error.argument or 0]), error.hint) from None


def _described(name: str, values: tuple[Expr, ...]) -> Column:
    known = all(isinstance(value, Constant) and value.value is not None for value in values)
    return Column(name, values[0].type, nullable=not known)
