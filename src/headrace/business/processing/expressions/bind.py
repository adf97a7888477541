"""Syntax trees to typed expressions, against the names that a scope knows. Not where rows come from (see `select`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from headrace.business.model.types import Boolean, Null, String, Struct
from headrace.business.processing.expressions import bind_literals, operators
from headrace.business.processing.expressions.bind_calls import bind_call, bind_window
from headrace.business.processing.expressions.casting import cast_problem
from headrace.business.processing.expressions.catalog import entry
from headrace.business.processing.expressions.coercion import a, alike, coerce, comparable
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import Call, Case, Cast, ColumnRef, Constant, Expr, Subquery
from headrace.business.processing.expressions.refusals import refusal
from headrace.business.processing.expressions.signatures import apply
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.expressions.type_names import written_type

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["BindError", "Binder", "ExpressionError", "Scope"]

#: How deep expressions may be nested: what walks over them goes as deep, with several calls for each level.
DEEPEST = 120


class Scope(Protocol):
    """The names that an expression may use. Both methods raise `BindError`; the binder adds the place in the text."""

    def column(self, name: str, table: str | None) -> ColumnRef: ...

    def subquery(self, kind: Literal["exists", "in", "scalar"], select: exp.Expression, value: Expr | None) -> Subquery: ...


class Binder:
    """Binds the nodes of one text."""

    def __init__(self, scope: Scope, text: str, *, aggregates: bool, windows: bool) -> None:
        self.scope, self.text = scope, text
        self.aggregates, self.windows = aggregates, windows
        self.inside: str | None = None
        """The aggregate or window function whose arguments are being bound."""
        self._depth = 0

    def bind(self, node: exp.Expression) -> Expr:
        """The typed expression of a node; raises `ExpressionError` at the place of what is wrong."""
        if node is None:  # SQLGlot leaves a gap where an operand is missing; whoever asked for it knows the place
            raise BindError("something is missing here")
        if self._depth >= DEEPEST:
            raise ExpressionError("this is nested too deeply", start_of(node), "split it into several columns or rules")
        self._depth += 1
        try:
            return self._bound(node)
        except BindError as error:
            raise ExpressionError(error.message, start_of(node), error.hint) from None
        finally:
            self._depth -= 1

    def condition(self, node: exp.Expression, what: str = "a condition") -> Expr:
        """A node that must be true or false."""
        bound = self.bind(node)
        if isinstance(bound.type, Null | Boolean):
            return coerce(bound, Boolean())
        hint = "write a comparison, as in `x <> 0`" if bound.type.is_number else None
        raise ExpressionError(f"{what} must be true or false, and this is {a(bound.type)}", start_of(node), hint)

    def call(self, name: str, *nodes: exp.Expression) -> Expr:
        """An entry of the catalogue on these nodes, whatever it is called in the text."""
        return self.applied(name, [self.bind(node) for node in nodes], nodes)

    def applied(self, name: str, values: Sequence[Expr], nodes: Sequence[exp.Expression]) -> Expr:
        """An entry of the catalogue on bound values; what is wrong with one of them is said at its node."""
        with self.blaming(nodes):
            args, kind = apply(entry(name), values)
        return Call(kind, name, args)

    @contextmanager
    def blaming(self, nodes: Sequence[exp.Expression]) -> Iterator[None]:
        """A `BindError` about an argument is said at the node of that argument."""
        try:
            yield
        except BindError as error:
            if error.argument is None or error.argument >= len(nodes):
                raise
            raise ExpressionError(error.message, start_of(nodes[error.argument]), error.hint) from None

    @contextmanager
    def within(self, function: str, *, aggregates: bool) -> Iterator[None]:
        """Binding the arguments of an aggregate or window function, in which no other may stand."""
        before = (self.aggregates, self.windows, self.inside)
        self.aggregates, self.windows, self.inside = aggregates, False, function
        try:
            yield
        finally:
            self.aggregates, self.windows, self.inside = before

    def _bound(self, node: exp.Expression) -> Expr:
        if handler := _HANDLERS.get(node.key):
            return handler(self, node)
        if arithmetic := operators.ARITHMETIC.get(node.key):
            nodes = (node.this, node.expression)
            with self.blaming(nodes):
                return arithmetic(self.bind(nodes[0]), self.bind(nodes[1]))
        if comparison := operators.COMPARISONS.get(node.key):
            return _compare(self, comparison, node.this, node.expression)
        if plain := operators.PLAIN.get(node.key):
            return self.call(plain, node.this, node.expression)
        raise refusal(node)


Handler = Callable[[Binder, "exp.Expression"], Expr]


def _column(binder: Binder, node: exp.Expression) -> Expr:
    """`column`, `table.column`, or `struct.field`."""
    parts = [part.name for part in node.parts]  # type: ignore[attr-defined]
    if len(parts) == 1:
        return binder.scope.column(parts[0], None)
    try:
        found: Expr = binder.scope.column(parts[1], parts[0])
        fields = parts[2:]
    except BindError as error:
        try:
            found = binder.scope.column(parts[0], None)
        except BindError:
            raise error from None
        if not isinstance(found.type, Struct):
            raise
        fields = parts[1:]
    for name in fields:
        found = _field(found, name)
    return found


def _field(value: Expr, name: str) -> Expr:
    args, kind = apply(entry("struct_field"), (value, Constant(String(), name)))
    return Call(kind, "struct_field", args)


def _dot(binder: Binder, node: exp.Expression) -> Expr:
    if node.expression.key not in ("identifier", "column"):
        raise refusal(node)
    return _field(binder.bind(node.this), node.expression.name)


def _chain(binder: Binder, node: exp.Expression) -> Expr:
    """`and` and `or`: long chains lean to the left, and are taken apart without going deep."""
    parts: list[exp.Expression] = []
    left = node
    while left.key == node.key:
        parts.append(left.expression)
        left = left.this
        while left.key == "paren" and left.this.key == node.key:
            left = left.this
    parts.append(left)
    conditions = [binder.condition(part, f"each side of `{node.key}`") for part in reversed(parts)]
    return Call(Boolean(), node.key, tuple(conditions))


def _not(binder: Binder, node: exp.Expression) -> Expr:
    inner = node.this
    if inner.key == "is" and inner.expression.key == "boolean":
        return operators.negated(_is(binder, inner))
    return operators.negated(binder.condition(inner, "what `not` turns around"))


def _compare(binder: Binder, name: str, left: exp.Expression, right: exp.Expression) -> Expr:
    with binder.blaming((left, right)):
        return operators.compare(name, binder.bind(left), binder.bind(right))


def _is(binder: Binder, node: exp.Expression) -> Expr:
    if node.expression.key == "null":
        return Call(Boolean(), "is_null", (binder.bind(node.this),))
    if node.expression.key == "boolean":
        name = "is_true" if node.expression.this else "is_false"
        return Call(Boolean(), name, (binder.condition(node.this, f"what `is {node.expression.this}` asks".lower()),))
    raise refusal(node)


def _between(binder: Binder, node: exp.Expression) -> Expr:
    nodes = (node.this, node.args["low"], node.args["high"])
    if node.args.get("symmetric"):
        raise BindError("`between symmetric` is not read", "write `x between least(a, b) and greatest(a, b)`")
    value, low, high = (binder.bind(n) for n in nodes)
    with binder.blaming(nodes[:2]):
        operators.compare("less", value, low)
    with binder.blaming((nodes[0], nodes[2])):
        operators.compare("less", value, high)
    return Call(Boolean(), "between", operators.same_or_alike((value, low, high)))


def _in(binder: Binder, node: exp.Expression) -> Expr:
    value = binder.bind(node.this)
    if query := node.args.get("query"):
        return binder.scope.subquery("in", query.this if query.key == "subquery" else query, value)
    nodes = (node.this, *node.expressions)
    if not node.expressions:
        raise BindError(
            "the list after `in` must stand in brackets and hold something", "x in ('a', 'b'), or list_contains(items, x)"
        )
    values = [value, *(binder.bind(item) for item in node.expressions)]
    for i, item in enumerate(values[1:], 1):
        with binder.blaming((nodes[0], nodes[i])):
            comparable(value, item)
    return Call(Boolean(), "in", operators.same_or_alike(tuple(values)))


def _like(binder: Binder, node: exp.Expression) -> Expr:
    escape = None
    if node.key == "escape":
        node, escape = node.this, node.expression
    nodes = (node.this, node.expression, *((escape,) if escape is not None else ()))
    found = binder.call(node.key, *nodes)
    return operators.negated(found) if node.args.get("negate") else found


def _cast(binder: Binder, node: exp.Expression) -> Expr:
    value, target = binder.bind(node.this), written_type(node.args["to"])
    if isinstance(value, Constant) and isinstance(value.value, str) and bind_literals.is_moment(target):
        return coerce(value, target)
    if isinstance(value, Constant) and value.value is None:
        return Constant(target, None)
    if problem := cast_problem(value.type, target):
        raise BindError(*problem)
    return value if value.type == target else Cast(target, value, lenient=node.key == "trycast")


def _case(binder: Binder, node: exp.Expression) -> Expr:
    subject = node.this
    conditions, nodes, results = [], [], []
    for branch in node.args["ifs"]:
        when = branch.this
        asked = (
            _compare(binder, "equal", subject, when)
            if subject is not None
            else binder.condition(when, "what stands after `when`")
        )
        conditions.append(asked)
        nodes.append(branch.args["true"])
    if default := node.args.get("default"):
        nodes.append(default)
    results = [binder.bind(n) for n in nodes]
    with binder.blaming(nodes):
        values = alike(tuple(results), "results of one `case`")
    otherwise = values[len(conditions)] if default else Constant(values[0].type, None)
    return Case(values[0].type, tuple(zip(conditions, values, strict=False)), otherwise)


def _bracket(binder: Binder, node: exp.Expression) -> Expr:
    """`items[1]`, `items[2:3]`, `struct['field']`."""
    (place,) = node.expressions
    if place.key == "slice":
        start, stop = place.this, place.expression
        if start is None or stop is None or place.args.get("step"):
            raise BindError("a slice has a start and a stop", "`items[2:3]`")
        return binder.call("list_slice", node.this, start, stop)
    value = binder.bind(node.this)
    if isinstance(value.type, Struct) and place.key == "literal" and place.is_string:
        return _field(value, place.this)
    return binder.applied("list_item", (value, binder.bind(place)), (node.this, place))


def _struct(binder: Binder, node: exp.Expression) -> Expr:
    parts: list[Expr] = []
    for pair in node.expressions:
        if pair.key != "propertyeq":
            raise refusal(node)
        parts += (Constant(String(), pair.this.name), binder.bind(pair.expression))
    if not parts:
        raise BindError("a struct has fields", "`{'a': 1}`")
    return operators.struct_of(tuple(parts))


def _list(binder: Binder, node: exp.Expression) -> Expr:
    values = [binder.bind(item) for item in node.expressions]
    with binder.blaming(node.expressions):
        return operators.list_of(tuple(values))


def _json_path(binder: Binder, node: exp.Expression) -> Expr:
    """`->` and `->>` take a path, the name of a field or the place of an item, counted from 0."""
    path = node.expression
    if path is None or path.key != "literal":
        raise BindError("what stands after an arrow must be written out", "`value ->> '$.name'`")
    where = f"[{path.this}]" if not path.is_string else path.this
    full = where if where.startswith("$") else f"${where}" if not path.is_string else f'$."{where}"'
    name = "json_text" if node.key == "jsonextractscalar" else "json_value"
    return binder.applied(name, (binder.bind(node.this), Constant(String(), full)), (node.this, path))


def _extract(binder: Binder, node: exp.Expression) -> Expr:
    part = Constant(String(), node.this.name)
    return binder.applied("date_part", (part, binder.bind(node.expression)), (node.this, node.expression))


def _subquery(binder: Binder, node: exp.Expression) -> Expr:
    return binder.scope.subquery("scalar", node.this, None)


def _exists(binder: Binder, node: exp.Expression) -> Expr:
    query = node.this
    return binder.scope.subquery("exists", query.this if query.key == "subquery" else query, None)


_HANDLERS: dict[str, Handler] = {
    "column": _column, "dot": _dot, "paren": lambda binder, node: binder.bind(node.this),
    "literal": lambda _, node: bind_literals.literal(node),
    "boolean": lambda _, node: Constant(Boolean(), bool(node.this)),
    "null": lambda *_: Constant(Null(), None),
    "neg": lambda binder, node: operators.negative(binder.bind(node.this)),
    "interval": lambda binder, node: bind_literals.interval(node, binder.bind),
    "and": _chain, "or": _chain, "not": _not, "is": _is, "between": _between, "in": _in,
    "like": _like, "ilike": _like, "escape": _like,
    "cast": _cast, "trycast": _cast, "case": _case,
    "bracket": _bracket, "array": _list, "struct": _struct,
    "jsonextract": _json_path, "jsonextractscalar": _json_path,
    "extract": _extract,
    "substring": lambda binder, node: binder.call("substring", *(node.args[k] for k in ("this", "start", "length") if node.args.get(k))),
    "attimezone": lambda binder, node: binder.call("at_time_zone", node.this, node.args["zone"]),
    "anonymous": bind_call, "filter": bind_call, "window": bind_window,
    "subquery": _subquery, "exists": _exists,
}  # fmt: skip
