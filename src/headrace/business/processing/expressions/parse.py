"""Text to typed expression, in one call: for rules, filters, derived columns. Not for whole queries (see `select`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.processing.expressions.bind import Binder
from headrace.business.processing.expressions.elsewhere import ELSEWHERE
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.expressions.syntax import read_syntax

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["ExpressionError", "parse_condition", "parse_expression"]


class Columns:
    """The scope of an expression over one dataset: its columns, and no other query."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def column(self, name: str, table: str | None) -> ColumnRef:
        if table is not None:
            raise BindError(f"there is no dataset `{table}` here", f"write `{name}` alone: only one dataset is seen")
        found = self._schema.resolve(name)
        if found is None:
            raise BindError(f"there is no column `{name}`", _moment_of_run(name) or did_you_mean(name, self._schema.names))
        return ColumnRef(found.type, found.name)

    def subquery(self, kind: Literal["exists", "in", "scalar"], select: exp.Expression, value: Expr | None) -> NoReturn:  # noqa: ARG002 - the protocol
        raise BindError("an expression cannot contain a query", "use the step `sql`, or the rule `references`")


def parse_expression(text: str, schema: Schema, *, aggregates: bool = False, windows: bool = False) -> Expr:
    """The typed expression that a text says over the columns of a schema. Raises `ExpressionError` at what is wrong."""
    binder = Binder(Columns(schema), text, aggregates=aggregates, windows=windows)
    return binder.bind(read_syntax(text))


def parse_condition(text: str, schema: Schema) -> Expr:
    """A text that must be true or false for each row."""
    return Binder(Columns(schema), text, aggregates=False, windows=False).condition(read_syntax(text))


def _moment_of_run(name: str) -> str | None:
    """`current_date` looks like a column and is a function elsewhere."""
    return ELSEWHERE.get(name.lower()) if name.lower().startswith(("current_", "local")) else None
