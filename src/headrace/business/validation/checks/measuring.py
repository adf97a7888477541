"""How checks turn their options into aggregates: columns looked up, conditions parsed, everything wrong reported at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import Boolean, Null, String, Struct
from headrace.business.processing.expressions.build import all_of, is_null, negate
from headrace.business.processing.expressions.catalog import entry
from headrace.business.processing.expressions.ir import Aggregate, Call, ColumnRef, Constant, Expr
from headrace.business.processing.expressions.signatures import apply
from headrace.errors import DefinitionError, Path, Problem


class Options:
    """The options of a check against the columns of its dataset. Problems are collected; `reading` raises them together."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.problems: list[Problem] = []

    def refuse(self, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(Problem(message, path, hint))

    def column(self, name: str, *path: str | int) -> ColumnRef:
        """The column of that name; when there is none, one of type null stands in, for the rest of the options to be read."""
        found = self.schema.resolve(name)
        if found is None:
            self.refuse(f"there is no column `{name}`", path, did_you_mean(name, self.schema.names))
            return ColumnRef(Null(), name)
        return ColumnRef(found.type, found.name)

    def numbers(self, name: str, *path: str | int) -> ColumnRef:
        """The column of that name, which must hold numbers."""
        found = self.column(name, *path)
        if not found.type.is_number and not isinstance(found.type, Null):
            self.refuse(f"`{name}` is of type {found.type}, and this needs numbers", path)
        return found

    def ordered(self, name: str, *path: str | int) -> ColumnRef:
        """The column of that name, whose values must have an order."""
        found = self.column(name, *path)
        if (not found.type.is_ordered or isinstance(found.type, Boolean)) and not isinstance(found.type, Null):
            self.refuse(f"`{name}` is of type {found.type}, which has no order", path)
        return found

    def condition(self, text: str | None, *path: str | int) -> Expr | None:
        """A condition on single rows."""
        # The parser brings a heavy library with it, which checks without expressions do not need.
        from headrace.business.processing.expressions.parse import ExpressionError, parse_condition

        try:
            return None if text is None else parse_condition(text, self.schema)
        except ExpressionError as error:
            self.problems.append(Problem(error.message, path, error.hint, error.offset))
            return None

    def aggregate(self, text: str, *path: str | int) -> Expr:
        """An expression over aggregates, a single value for the whole dataset; a null stands in for one that is wrong."""
        from headrace.business.processing.expressions.parse import ExpressionError, parse_expression

        try:
            parsed = parse_expression(text, self.schema, aggregates=True)
        except ExpressionError as error:
            self.problems.append(Problem(error.message, path, error.hint, error.offset))
            return Constant(Null(), None)
        if name := _loose_column(parsed):
            hint = f"put it into an aggregate, such as `max({name})`"
            self.refuse(f"`{name}` has a value in every row, and this needs one for the whole dataset", path, hint)
        elif not any(isinstance(node, Aggregate) for node in parsed.walk()):
            self.refuse("this looks at no row", path, "it needs an aggregate, such as `count(*)`")
        return parsed


@contextmanager
def reading(schema: Schema) -> Iterator[Options]:
    """Read options against a schema; leaving raises `DefinitionError` with all that is wrong."""
    options = Options(schema)
    yield options
    if options.problems:
        raise DefinitionError(options.problems)


def _loose_column(expression: Expr) -> str | None:
    """A column that is read outside every aggregate."""
    if isinstance(expression, Aggregate):
        return None
    if isinstance(expression, ColumnRef):
        return expression.name
    return next(filter(None, map(_loose_column, expression.children())), None)


def narrowed(expression: Expr, where: Expr | None) -> Expr:
    """The same expression with every aggregate over those rows only for which `where` is true."""

    def narrow(node: Expr) -> Expr:
        if not isinstance(node, Aggregate) or where is None:
            return node
        return replace(node, where=where if node.where is None else all_of(node.where, where))

    return expression.map(narrow)


def aggregate(function: str, *args: Expr, distinct: bool = False, where: Expr | None = None) -> Aggregate:
    """An aggregate of the catalogue, its arguments brought to the types that it takes."""
    taken, kind = apply(entry(function), args)
    return Aggregate(kind, function, taken, distinct, where)


def rows(where: Expr | None = None) -> Aggregate:
    return aggregate("count", where=where)


def values(column: Expr) -> Aggregate:
    """How many rows have a value here."""
    return aggregate("count", column)


def distinct(*columns: ColumnRef) -> Aggregate:
    """How many different values, or combinations of them, there are; rows with a null among them do not count."""
    if len(columns) == 1:
        return aggregate("count", *columns, distinct=True)
    kind = Struct(tuple((column.name, column.type) for column in columns))
    parts = [part for column in columns for part in (Constant(String(), column.name), column)]
    return aggregate("count", Call(kind, "struct_value", tuple(parts)), distinct=True, where=complete(*columns))


def complete(*columns: Expr) -> Expr:
    """Whether a row has a value in every one of the columns."""
    return all_of(*(negate(is_null(column)) for column in columns))
