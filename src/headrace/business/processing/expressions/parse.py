"""Text to typed expression, in one call: for rules, filters, derived columns. Not for whole queries (see `select`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.processing.expressions.bind import Binder
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
            raise BindError(f"there is no column `{name}`", _not_a_column(name, self._schema))
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


def _not_a_column(name: str, schema: Schema) -> str:
    moments = {"current_date", "current_timestamp", "current_time", "localtimestamp", "localtime"}
    if name.lower() in moments:
        return "the time of the run is not repeatable; use a parameter, as in `date '${params.day}'`"
    return did_you_mean(name, schema.names)
