"""Windows of event time as relations that every engine has: which windows a row is in, and what comes of each. Not what a stream does.

Windows are counted in microseconds since the start of 1970 in UTC, as integers, so that their bounds are exact. Bounds beyond the years 1 to
9999 are cut to these.
"""

from __future__ import annotations

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, Integer, String, Timestamp
from headrace.business.processing.expressions.build import any_of, column, constant, is_null, negate, test
from headrace.business.processing.expressions.ir import Aggregate, Call, Case, Expr, Frame, SortKey, Window
from headrace.business.processing.relation import Filter, GroupBy, Join, Project, Relation, Values, columns_of
from headrace.business.processing.stateful import Groups, Span
from headrace.business.processing.steps.projection import as_they_are, project

#: What the column is called that says whether the window of a row is closed, where rows are given out before it is.
CLOSED = "window_closed"

_WHOLE = Integer(64)
#: The first microsecond of the year 1, and the last of the year 9999.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999

#: Columns on the way. Names that begin so are not those of data.
_TIME, _WINDOW, _OFFSET, _BEFORE, _SESSION, _BEGIN, _END = (
    f"#:{name}" for name in ("time", "window", "offset", "before", "session", "begin", "end")
)
_Named = tuple[tuple[str, Expr], ...]


def in_batch(groups: Groups, span: Span, of: Schema) -> Relation:
    """The rows of all windows, with the columns of `of`."""
    timed = with_columns(groups.rows, {_TIME: span.time})
    timed = Filter(timed.schema, timed, negate(is_null(_whole(_TIME))))
    return (_sessions if span.kind == "session" else _windows)(groups, span, timed, of)


def microseconds(time: Expr) -> Expr:
    """A moment in microseconds since 1970."""
    return _whole_call("epoch_us", time)


def window_start(time: Expr, every: int) -> Expr:
    """The start of the last window that begins at or before a time."""
    step = number(every)
    return subtract(time, _whole_call("modulo", add(_whole_call("modulo", time, step), step), step))


def bounds(span: Span, start: Expr, end: Expr) -> _Named:
    """The columns of the bounds, of those in microseconds."""
    return ((span.start, _moment(_whole_call("greatest", start, number(_FIRST)), span.zone)),
            (span.end, _moment(_whole_call("least", end, number(_LAST)), span.zone)))  # fmt: skip


def windowed_schema(groups: Groups, span: Span, grouped: Schema) -> Schema:
    """The bounds, what the groups have, and whether the window is closed where that can be asked."""
    times = [Column(name, Timestamp(zone=span.zone), nullable=False) for name in (span.start, span.end)]
    closed = [Column(CLOSED, Boolean(), nullable=False)] if groups.emit == "both" else []
    return Schema((*times, *grouped, *closed))


def result(below: Relation, groups: Groups, begin_end: _Named, of: Schema, *, closed: bool = True) -> Project:
    """The columns of the result, of the bounds and what was grouped."""
    names = [name for name, _ in (*groups.keys, *groups.measures)]
    marked = ((CLOSED, constant(closed, Boolean())),) if CLOSED in of else ()
    return Project(of, below, (*begin_end, *((n, column(n, below.schema[n].type)) for n in names), *marked))


def with_columns(below: Relation, more: dict[str, Expr]) -> Project:
    return project(below, {**as_they_are(below.schema), **more})


def number(value: int) -> Expr:
    return constant(value, _WHOLE)


def add(left: Expr, right: Expr) -> Expr:
    return _whole_call("add", left, right)


def subtract(left: Expr, right: Expr) -> Expr:
    return _whole_call("subtract", left, right)


# How -----------------------------------------------------------------------------------------------------------------


def _windows(groups: Groups, span: Span, timed: Relation, of: Schema) -> Relation:
    assigned = with_columns(timed, {_WINDOW: window_start(_whole(_TIME), span.every)})
    if span.every < span.length:
        assigned = _overlapping(assigned, span)
    grouped = _grouped(assigned, ((_WINDOW, _whole(_WINDOW)), *groups.keys), groups.measures)
    start = _whole(_WINDOW)
    return result(grouped, groups, bounds(span, start, add(start, number(span.length))), of)


def _overlapping(assigned: Relation, span: Span) -> Project:
    """A row for each window that a row is in: those that begin so many steps before the last one."""
    steps = -(-span.length // span.every)
    back = Values(Schema((Column(_OFFSET, _WHOLE, nullable=False),)), tuple((number(n * span.every),) for n in range(steps)))
    crossed = Join(Schema((*assigned.schema, *back.schema)), assigned, back, "cross", None)
    columns = as_they_are(assigned.schema)
    columns[_WINDOW] = subtract(_whole(_WINDOW), _whole(_OFFSET))
    each = project(crossed, columns)
    inside = test("greater", add(_whole(_WINDOW), number(span.length)), _whole(_TIME))
    return project(Filter(each.schema, each, inside), as_they_are(each.schema))


def _sessions(groups: Groups, span: Span, timed: Relation, of: Schema) -> Relation:
    """A session begins with a row that has none of its keys shortly before it; how many have begun numbers them."""
    names = {f"#:key {i}": e for i, (_, e) in enumerate(groups.keys)}
    keyed = with_columns(timed, names)
    partition = tuple(column(name, e.type) for name, e in names.items())
    order = (SortKey(_whole(_TIME)),)
    before = Window(_WHOLE, Call(_WHOLE, "lag", (_whole(_TIME),)), partition, order)
    seen = with_columns(keyed, {_BEFORE: before})
    silent = test("greater_or_equal", subtract(_whole(_TIME), _whole(_BEFORE)), number(span.length))
    begins = Case(_WHOLE, ((any_of([is_null(_whole(_BEFORE)), silent]), number(1)),), number(0))
    marked = with_columns(seen, {_SESSION: begins})
    # Rows of the same moment are peers: a frame of rows would cut between them wherever they happen to lie.
    so_far = Window(_WHOLE, Aggregate(_WHOLE, "sum", (_whole(_SESSION),)), partition, order, Frame("range"))
    numbered = with_columns(marked, {_SESSION: so_far})
    ends: _Named = ((_BEGIN, Aggregate(_WHOLE, "min", (_whole(_TIME),))), (_END, Aggregate(_WHOLE, "max", (_whole(_TIME),))))
    keys = tuple((name, column(f"#:key {i}", e.type)) for i, (name, e) in enumerate(groups.keys))
    grouped = _grouped(numbered, ((_SESSION, _whole(_SESSION)), *keys), (*groups.measures, *ends))
    return result(grouped, groups, bounds(span, _whole(_BEGIN), add(_whole(_END), number(span.length))), of)


def _grouped(below: Relation, keys: _Named, measures: _Named) -> GroupBy:
    return GroupBy(columns_of((*keys, *measures), below.schema), below, keys, measures)


def _moment(microseconds: Expr, zone: bool) -> Expr:  # noqa: FBT001 - of what it says
    plain = Call(Timestamp(), "from_epoch_us", (microseconds,))
    return Call(Timestamp(zone=True), "at_time_zone", (plain, constant("UTC", String()))) if zone else plain


def _whole(name: str) -> Expr:
    return column(name, _WHOLE)


def _whole_call(function: str, *args: Expr) -> Expr:
    return Call(_WHOLE, function, args)
