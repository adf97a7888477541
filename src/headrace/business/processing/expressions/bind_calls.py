"""Calls of functions: scalars, aggregates with `distinct`, `filter` and `order by`, and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headrace.business.model.types import Integer, Interval
from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Aggregate, Bound, Call, Case, Constant, Expr, Frame, SortKey, Window
from headrace.business.processing.expressions.refusals import refusal
from headrace.business.processing.expressions.signatures import apply
from headrace.business.processing.expressions.syntax import start_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlglot import exp


class _Binder(Protocol):
    aggregates: bool
    windows: bool
    inside: str | None

    def bind(self, node: exp.Expression) -> Expr: ...
    def condition(self, node: exp.Expression, what: str = ...) -> Expr: ...
    def blaming(self, nodes: Sequence[exp.Expression]) -> AbstractContextManager[None]: ...
    def within(self, function: str, *, aggregates: bool) -> AbstractContextManager[None]: ...


@dataclass
class _Written:
    """A call as it is written."""

    node: exp.Expression
    function: Function
    args: list[exp.Expression]
    distinct: bool = False
    star: bool = False
    order: Sequence[exp.Expression] = ()
    where: exp.Expression | None = None


def bind_call(binder: _Binder, node: exp.Expression) -> Expr:
    written = _read(node)
    if written.function.kind == "scalar":
        return _scalar(binder, written)
    if written.function.kind == "window":
        name = written.function.name
        raise BindError(
            f"`{name}` looks at other rows, and needs to know their order", f"write `{name}(...) over (order by ...)`"
        )
    if not binder.aggregates:
        raise _no_aggregates(binder, written.function.name)
    return _aggregate(binder, written, nested=False)


def bind_window(binder: _Binder, node: exp.Expression) -> Expr:
    """`call over (partition by ... order by ... rows between ...)`"""
    if node.this.key == "ignorenulls" or node.args.get("alias") or node.args.get("first") is not None:
        raise BindError("only `over (partition by ... order by ... rows between ...)` is read")
    written = _read(node.this)
    name = written.function.name
    if written.function.kind == "scalar":
        raise BindError(f"`{name}` is no window function: it looks at one row", "leave out `over (...)`")
    if not binder.windows:
        where = f"inside of `{binder.inside}`" if binder.inside else "here"
        raise BindError(f"window functions cannot be used {where}", "compute it in a step `window` or `derive` first")
    order = node.args.get("order")
    if written.function.kind == "window" and order is None:
        raise BindError(f"`{name}` needs to know the order of the rows", f"write `{name}(...) over (order by ...)`")
    call = (
        _ranking(binder, written)
        if written.function.kind == "window"
        else _aggregate(binder, written, nested=binder.aggregates)
    )
    with binder.within(name, aggregates=binder.aggregates):
        partition = tuple(binder.bind(part) for part in node.args.get("partition_by") or ())
        keys = tuple(sort_key(binder, item) for item in (order.expressions if order is not None else ()))
        frame = _frame(node.args.get("spec"), keys, binder)
    return Window(call.type, call, partition, keys, frame)


def sort_key(binder: _Binder, item: exp.Expression) -> SortKey:
    """One item of an `order by`. Nulls go last, ascending or descending, unless it says `nulls first`."""
    if item.key != "ordered":
        return SortKey(binder.bind(item))
    value = binder.bind(item.this)
    if isinstance(value, Constant):
        raise ExpressionError("ordering by a constant orders nothing", start_of(item))
    return SortKey(value, bool(item.args.get("desc")), bool(item.args.get("nulls_first")))


def _read(node: exp.Expression) -> _Written:
    where = None
    if node.key == "filter":
        node, where = node.this, node.expression.this
    if node.key != "anonymous":
        raise refusal(node)
    written = _Written(node, catalog.function(str(node.this)), list(node.expressions), where=where)
    if written.args and written.args[-1].key == "order":
        last = written.args.pop()
        written.order = last.expressions
        written.args.append(last.this)
    if len(written.args) == 1 and written.args[0].key == "distinct":
        written.distinct, written.args = True, list(written.args[0].expressions)
    if written.args and written.args[0].key == "order":  # count(distinct x order by y)
        raise BindError("`order by` stands after the last argument")
    if [arg.key for arg in written.args] == ["star"]:
        written.star, written.args = True, []
    for arg in written.args:
        if arg.key in ("propertyeq", "lambda", "star", "kwarg"):
            raise refusal(arg)
    return written


def _scalar(binder: _Binder, written: _Written) -> Expr:
    name = written.function.name
    if written.distinct or written.order or written.where is not None or written.star:
        raise BindError(f"`{name}` looks at one row: `distinct`, `order by`, `filter` and `*` mean nothing to it")
    values = [binder.bind(arg) for arg in written.args]
    with binder.blaming(written.args):
        args, kind = apply(written.function, values)
    if name == "if":
        return Case(kind, ((args[0], args[1]),), args[2])
    return Call(kind, name, args)


def _aggregate(binder: _Binder, written: _Written, *, nested: bool) -> Aggregate:
    function = written.function
    if written.star and function.name != "count":
        raise BindError(f"`{function.name}(*)` means nothing", "only `count(*)` does")
    if function.order == "required" and not written.order:
        hint = f"say which: `{function.name}(... order by ...)`"
        raise BindError(f"the result of `{function.name}` depends on the order of the rows", hint)
    with binder.within(function.name, aggregates=nested):
        values = [binder.bind(arg) for arg in written.args]
        where = binder.condition(written.where, "the filter") if written.where is not None else None
        keys = tuple(sort_key(binder, item) for item in written.order)
    with binder.blaming(written.args):
        args, kind = apply(function, values)
    _check_order(function, written, args, keys)
    return Aggregate(kind, function.name, args, written.distinct, where, keys if function.order != "none" else ())


def _check_order(function: Function, written: _Written, args: Sequence[Expr], keys: Sequence[SortKey]) -> None:
    if written.distinct and not args:
        raise BindError("`distinct` needs something to be distinct", "`count(distinct x)`")
    if written.distinct and any(key.expression not in args for key in keys):
        raise BindError(f"`{function.name}(distinct ...)` can only be ordered by what it collects")
    if keys and function.order == "none":
        raise BindError(f"`{function.name}` gives the same for every order of the rows", "leave out `order by`")


def _ranking(binder: _Binder, written: _Written) -> Call:
    if written.distinct or written.order or written.where is not None or written.star:
        raise BindError(
            f"`{written.function.name}` takes no `distinct`, `order by` or `filter`; its order stands in `over (...)`"
        )
    with binder.within(written.function.name, aggregates=binder.aggregates):
        values = [binder.bind(arg) for arg in written.args]
    with binder.blaming(written.args):
        args, kind = apply(written.function, values)
    if isinstance(places := next((x.value for x in args[1:2] if isinstance(x, Constant)), 1), int) and places < 0:
        raise BindError("this cannot be below zero; use `lead` for `lag`, and the other way round")
    return Call(kind, written.function.name, args)


def _no_aggregates(binder: _Binder, name: str) -> BindError:
    if binder.inside:
        return BindError(f"`{name}` cannot stand inside of `{binder.inside}`", "aggregate in one step, and again in the next")
    return BindError(f"`{name}` looks at many rows, and only one is seen here", "use the step `aggregate`, or a check")


def _frame(spec: exp.Expression | None, keys: Sequence[SortKey], binder: _Binder) -> Frame | None:
    """The frame as SQL has it: with an order and no frame, all rows up to the current one and those equal to it in the order."""
    if spec is None:
        return Frame("range") if keys else None
    unit = str(spec.args.get("kind", "")).lower()
    if unit not in ("rows", "range") or spec.args.get("exclude"):
        raise BindError("a frame is written `rows between ... and ...` or `range between ... and ...`")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), unit, keys, binder)
    end: Bound = ("current_row", None)
    if spec.args.get("end"):
        end = _bound(spec.args["end"], spec.args.get("end_side"), unit, keys, binder)
    return Frame("rows" if unit == "rows" else "range", start, end)


def _bound(value: exp.Expression | str | None, side: str | None, unit: str, keys: Sequence[SortKey], binder: _Binder) -> Bound:
    if value == "CURRENT ROW":
        return ("current_row", None)
    before = str(side).upper() == "PRECEDING"
    if value == "UNBOUNDED":
        return ("unbounded_preceding", None) if before else ("unbounded_following", None)
    if value is None or isinstance(value, str):
        raise BindError("a frame needs to say how far it goes")
    distance = binder.bind(value)
    allowed = isinstance(distance.type, Integer) or (
        unit == "range" and (distance.type.is_number or isinstance(distance.type, Interval))
    )
    if not allowed:
        raise ExpressionError(
            "this cannot be the length of a frame", start_of(value), "`rows` counts rows; `range` takes numbers or intervals"
        )
    if unit == "range" and len(keys) != 1:
        raise BindError("`range` with a distance needs exactly one `order by`")
    return ("preceding" if before else "following", distance)
