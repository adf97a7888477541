"""Windows of event time as relations that every engine has: which windows a row is in, and what comes of each. Not what a stream does.

Windows are counted in microseconds since the start of 1970 in UTC, as integers, so that their bounds are exact. Bounds beyond the
years 1 to 9999 are cut to these.
"""

from __future__ import annotations

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, Integer, String, Timestamp
from headrace.business.processing.expressions.build import any_of, column, constant, is_null, negate, test
from headrace.business.processing.expressions.ir import Aggregate, Call, Case, Expr, Frame, SortKey, Window
from headrace.business.processing.relation import Filter, GroupBy, Join, Project, Relation, Values, columns_of
from headrace.business.processing.stateful import Groups, Span
from headrace.business.processing.steps.projection import as_they_are, project, ref

#: What the column is called that says whether the window of a row is closed, where rows are given out before it is.
CLOSED = "window_closed"

WHOLE = Integer(64)
#: The first microsecond of the year 1, and the last of the year 9999.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999

#: Columns on the way. Names that begin so are not those of data.
TIME, WINDOW, _OFFSET, _BEFORE, SESSION, BEGIN, END = (
    f"#:{name}" for name in ("time", "window", "offset", "before", "session", "begin", "end")
)
Named = tuple[tuple[str, Expr], ...]


def in_batch(groups: Groups, span: Span, of: Schema) -> Relation:
    """The rows of all windows, with the columns of `of`."""
    read = project(groups.rows, {c.name: ref(c) for c in groups.rows.schema if c.name in groups.reads})
    return (_sessions if span.kind == "session" else _windows)(groups, span, timed(read, span), of)


def timed(rows: Relation, span: Span) -> Relation:
    """The rows that have a time, which is in `TIME`."""
    all_rows = with_columns(rows, {TIME: span.time})
    return Filter(all_rows.schema, all_rows, negate(is_null(whole(TIME))))


def microseconds(time: Expr) -> Expr:
    """A moment in microseconds since 1970."""
    return _call("epoch_us", time)


def window_start(time: Expr, every: int) -> Expr:
    """The start of the last window that begins at or before a time."""
    step = number(every)
    return subtract(time, _call("modulo", add(_call("modulo", time, step), step), step))


def bounds(span: Span, start: Expr, end: Expr) -> Named:
    """The columns of the bounds, of those in microseconds."""
    return ((span.start, _moment(_call("greatest", start, number(_FIRST)), span.zone)),
            (span.end, _moment(_call("least", end, number(_LAST)), span.zone)))  # fmt: skip


def windowed_schema(groups: Groups, span: Span, grouped: Schema) -> Schema:
    """The bounds, what the groups have, and whether the window is closed where that can be asked."""
    times = [Column(name, Timestamp(zone=span.zone), nullable=False) for name in (span.start, span.end)]
    closed = [Column(CLOSED, Boolean(), nullable=False)] if groups.emit == "both" else []
    return Schema((*times, *grouped, *closed))


def result(below: Relation, groups: Groups, begin_end: Named, of: Schema, *, closed: bool = True) -> Project:
    """The columns of the result, of the bounds, where windows have some, and what was grouped."""
    begin_end = tuple((name, e) for name, e in begin_end if groups.window is None or groups.window.kind != "moment")
    names = [name for name, _ in (*groups.keys, *groups.measures)]
    marked = ((CLOSED, constant(closed, Boolean())),) if CLOSED in of else ()
    return Project(of, below, (*begin_end, *((n, column(n, below.schema[n].type)) for n in names), *marked))


def with_columns(below: Relation, more: dict[str, Expr]) -> Project:
    return project(below, {**as_they_are(below.schema), **more})


def number(value: int) -> Expr:
    return constant(value, WHOLE)


def add(left: Expr, right: Expr) -> Expr:
    return _call("add", left, right)


def subtract(left: Expr, right: Expr) -> Expr:
    return _call("subtract", left, right)


# How -----------------------------------------------------------------------------------------------------------------


def _windows(groups: Groups, span: Span, rows: Relation, of: Schema) -> Relation:
    assigned = with_columns(rows, {WINDOW: window_start(whole(TIME), span.every)})
    if span.every < span.length:
        assigned = overlapping(assigned, span, whole(TIME))
    grouped = grouped_by(assigned, ((WINDOW, whole(WINDOW)), *groups.keys), groups.measures)
    start = whole(WINDOW)
    return result(grouped, groups, bounds(span, start, add(start, number(span.length))), of)


def overlapping(assigned: Relation, span: Span, time: Expr) -> Project:
    """A row for each window that a row is in: those that begin so many steps before the last one, which is in `WINDOW`."""
    steps = -(-span.length // span.every)
    back = Values(Schema((Column(_OFFSET, WHOLE, nullable=False),)), tuple((number(n * span.every),) for n in range(steps)))
    crossed = Join(Schema((*assigned.schema, *back.schema)), assigned, back, "cross", None)
    columns = as_they_are(assigned.schema)
    columns[WINDOW] = subtract(whole(WINDOW), whole(_OFFSET))
    each = project(crossed, columns)
    inside = test("greater", add(whole(WINDOW), number(span.length)), time)
    return project(Filter(each.schema, each, inside), as_they_are(each.schema))


def _sessions(groups: Groups, span: Span, rows: Relation, of: Schema) -> Relation:
    keyed = with_columns(rows, {f"#:key {i}": e for i, (_, e) in enumerate(groups.keys)})
    keys = tuple((name, column(f"#:key {i}", e.type)) for i, (name, e) in enumerate(groups.keys))
    numbered = in_sessions(keyed, tuple(e for _, e in keys), whole(TIME), whole(TIME), span.length)
    ends: Named = ((BEGIN, Aggregate(WHOLE, "min", (whole(TIME),))), (END, Aggregate(WHOLE, "max", (whole(TIME),))))
    grouped = grouped_by(numbered, ((SESSION, whole(SESSION)), *keys), (*groups.measures, *ends))
    return result(grouped, groups, bounds(span, whole(BEGIN), add(whole(END), number(span.length))), of)


def in_sessions(below: Relation, keys: tuple[Expr, ...], begin: Expr, end: Expr, silence: int) -> Relation:
    """Numbers the sessions of each key in `SESSION`: one begins where nothing of its key was for so long. What is there may be rows, or
    sessions themselves, from a `begin` to an `end`."""
    order = (SortKey(begin),)
    earlier = Frame("rows", end=("preceding", constant(1, Integer(32))))
    seen = with_columns(below, {_BEFORE: Window(WHOLE, Aggregate(WHOLE, "max", (end,)), keys, order, earlier)})
    silent = test("greater_or_equal", subtract(begin, whole(_BEFORE)), number(silence))
    begins = Case(WHOLE, ((any_of([is_null(whole(_BEFORE)), silent]), number(1)),), number(0))
    marked = with_columns(seen, {SESSION: begins})
    # What begins at the same moment are peers: a frame of rows would cut between them wherever they happen to lie.
    so_far = Window(WHOLE, Aggregate(WHOLE, "sum", (whole(SESSION),)), keys, order, Frame("range"))
    return with_columns(marked, {SESSION: so_far})


def grouped_by(below: Relation, keys: Named, measures: Named) -> GroupBy:
    return GroupBy(columns_of((*keys, *measures), below.schema), below, keys, measures)


def _moment(microseconds: Expr, zone: bool) -> Expr:
    plain = Call(Timestamp(), "from_epoch_us", (microseconds,))
    return Call(Timestamp(zone=True), "at_time_zone", (plain, constant("UTC", String()))) if zone else plain


def whole(name: str) -> Expr:
    return column(name, WHOLE)


def _call(function: str, *args: Expr) -> Expr:
    return Call(WHOLE, function, args)
