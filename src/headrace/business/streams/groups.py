"""What a stream keeps of rows in groups, and what it makes of that, as relations. Not how an engine runs them.

Of rows that come, a table of parts is made: groups, windows, and mergeable aggregates. Sliding windows share their rows, so parts are kept
for panes, the longest pieces of time that no window cuts. What a stream is told while it runs (`HORIZON`) stands in the relations as a
constant whose value is `Given`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.build import all_of, column, constant, test
from headrace.business.processing.expressions.ir import Aggregate, Call, ColumnRef, Constant, Expr, Window
from headrace.business.processing.relation import Dataset, Filter, Join, Relation, SetOperation
from headrace.business.processing.stateful import Groups, Span
from headrace.business.processing.steps.aggregate import COUNTS
from headrace.business.processing.steps.event_windows import (
    BEGIN,
    END,
    SESSION,
    TIME,
    WHOLE,
    WINDOW,
    Named,
    add,
    bounds,
    grouped_by,
    in_sessions,
    number,
    overlapping,
    result,
    subtract,
    timed,
    whole,
    window_start,
    with_columns,
)
from headrace.business.processing.steps.projection import project, ref
from headrace.business.streams.keys import Keys
from headrace.business.streams.parts import Parts
from headrace.business.streams.slots import SLOT, slot_of
from headrace.records import record

#: A row's column on its way through a stream: the watermark of its partition just before it, in microseconds; null where there is none.
WATERMARK = "#:watermark"
#: Whether a row came too late for every window.
LATE = "#:late"
#: The number by which a row that is kept is known to the engine.
KEPT = "#:kept"
#: The first window that a row of a pane counts for: it may have come too late for those before.
_FROM = "#:from"


@record
class Given:
    """A value that is given each time."""

    name: str


#: The column of the only value of `opens`.
HORIZON_AT = "horizon"

HORIZON = Constant(WHOLE, Given("horizon"))
#: How far windows had been closed before.
BEFORE = Constant(WHOLE, Given("before"))


@dataclass(frozen=True)
class KeptGroups:
    """The groups of one step. `behind` is how much later than their time rows may come to it, beside the lateness that is allowed."""

    groups: Groups
    of: Schema
    behind: int = 0

    @cached_property
    def parts(self) -> Parts:
        return Parts.of(self.groups.measures, self.groups.keys)

    @property
    def first_column(self) -> str | None:
        """The column of what is kept by which its first window may close; None when it never does."""
        return {"": None, "tumbling": WINDOW, "moment": WINDOW, "sliding": _FROM, "session": END}[
            self._span.kind if self._span else ""
        ]

    @property
    def open_for(self) -> int:
        """How much later than `first_column` says that is."""
        return self.delay + (self._span.length if self._span else 0)

    @property
    def pause(self) -> int:
        """How far the horizon has to go on before it is looked again whether sessions are over: for that all of a key's are compared."""
        return self._span.length // 64 if self._span and self._span.kind == "session" else 0

    @property
    def sought(self) -> Keys:
        """By what the groups of rows that come are looked up, in columns of what is kept."""
        moments = () if self._span is None or self._span.kind in ("sliding", "session") else self._times()
        return tuple(e for _, e in (*moments, *self._kept_keys()))

    @property
    def delay(self) -> int:
        """How long after its end a window closes."""
        return self.groups.lateness + self.behind

    # Rows that come --------------------------------------------------------------------------------------------------

    @property
    def meaning(self) -> object:
        """What decides whether what was kept can be gone on with: keys, windows and parts. What is made of the parts may change."""
        window = self._span and (self._span.kind, self._span.length, self._span.every, self._span.time)
        return self.groups.keys, window, self.parts.makes(), self.parts.whole

    def taken(self, rows: Relation, side: str = "") -> Relation:  # noqa: ARG002 - there is one
        """What is kept of rows; where `LATE` is true, of those that came too late."""
        return with_columns(self._made(rows), {SLOT: slot_of([e for _, e in self._kept_keys()])})

    def _made(self, rows: Relation) -> Relation:
        read = {*self.groups.reads, WATERMARK}
        arriving = self._placed(project(rows, {c.name: ref(c) for c in rows.schema if c.name in read}))
        by = ((LATE, column(LATE, Boolean())), *self._times(), *self._new_keys())
        if self.parts.whole:
            return project(arriving, dict((*by, *((_row(c), column(c, arriving.schema[c].type)) for c in self._read))))
        if self._span is None or self._span.kind != "session":
            return grouped_by(arriving, by, self.parts.makes())
        apart = in_sessions(
            arriving, tuple(e for name, e in by if name not in _ENDS), whole(BEGIN), whole(END), self._span.length
        )
        keys = tuple((name, e) for name, e in by if name not in _ENDS)
        grouped = grouped_by(apart, ((SESSION, whole(SESSION)), *keys), (*_SESSION_ENDS, *self.parts.makes()))
        return project(
            grouped, {name: column(name, grouped.schema[name].type) for name in grouped.schema.names if name != SESSION}
        )

    def late(self, rows: Relation, columns: Collection[str], side: str = "") -> Relation:  # noqa: ARG002
        """The rows that came too late, with these columns of theirs behind `LATE`."""
        return late_of(self._placed(rows), columns)

    @cached_property
    def kept_schema(self) -> Schema:
        """The columns of what is kept."""
        made = self.taken(Dataset(Schema((*self.groups.rows.schema, Column(WATERMARK, WHOLE))), "rows"))
        return Schema(tuple(c for c in made.schema if c.name != LATE))

    def _placed(self, rows: Relation) -> Relation:
        """The rows with their keys, their place in time, and whether that is behind."""
        span, lateness = self._span, number(self.groups.lateness)
        keyed = with_columns(rows, {f"#:key {i}": e for i, (_, e) in enumerate(self.groups.keys)})
        if span is None:
            return with_columns(keyed, {LATE: constant(False, Boolean())})
        time, watermark = whole(TIME), whole(WATERMARK)
        if span.kind == "session":
            # A session to which an older row belonged may have been closed, whatever the row's own place in time.
            behind = test("less", add(time, lateness), watermark)
            return with_columns(timed(keyed, span), {BEGIN: time, END: time, LATE: surely(behind)})
        ends = add(window_start(time, span.every), number(span.length))
        behind = test("less_or_equal", add(ends, lateness), watermark)
        places = {WINDOW: window_start(time, self._pane), LATE: surely(behind)}
        if span.every < span.length:
            passed = subtract(watermark, number(span.length + self.groups.lateness))
            out_of = subtract(time, number(span.length))
            last_out = _whole_call("greatest", out_of, _whole_call("coalesce", passed, out_of))
            places[_FROM] = add(window_start(last_out, span.every), number(span.every))
        return with_columns(timed(keyed, span), places)

    # What is kept ----------------------------------------------------------------------------------------------------

    def closed(self, kept: Relation) -> Relation:
        """The result for all windows that end at `HORIZON`, less the delay, or before."""
        span = self._span
        if span is None:
            raise ValueError("without windows nothing closes")
        if span.kind == "session":
            return self._result(self._sessions(kept), closed=True)
        ends = add(whole(WINDOW), number(span.length + self.delay))
        windows = self._windows(kept)
        over: Expr = test("less_or_equal", ends, HORIZON)
        if span.every < span.length:
            over = all_of(over, test("greater", ends, BEFORE))
        return self._result(Filter(windows.schema, windows, over), closed=True)

    def gone(self, kept: Relation) -> Relation:
        """The numbers (`KEPT`) of what no window needs that is open at `HORIZON`."""
        span = self._span
        if span is None:
            raise ValueError("without windows nothing goes")
        if span.kind == "session":
            over = self._sessions(kept)
        else:
            last = add(window_start(whole(WINDOW), span.every), number(span.length + self.delay))
            over = Filter(kept.schema, kept, test("less_or_equal", last, HORIZON))
        return project(over, {KEPT: whole(KEPT)})

    def changed(self, kept: Relation, recent: Relation) -> Relation:
        """The result so far for every group and window that has something in `recent`."""
        if self._span is not None and self._span.kind == "session":
            return self._changed_sessions(kept, recent, self._span)
        windows, touched = self._windows(kept), self._windows(recent)
        by = tuple(n for n in (*(n for n, _ in self._times() if n == WINDOW), *(n for n, _ in self.groups.keys)))
        renamed = project(touched, {f"#:touched {i}": column(n, touched.schema[n].type) for i, n in enumerate(by)})
        same = [
            test("not_distinct", column(n, windows.schema[n].type), column(f"#:touched {i}", windows.schema[n].type))
            for i, n in enumerate(by)
        ]
        found = Join(windows.schema, windows, renamed, "semi", all_of(*same)) if same else windows
        return self._result(found, closed=False)

    def _changed_sessions(self, kept: Relation, recent: Relation, span: Span) -> Relation:
        """The sessions that have something in `recent`; and those that were given out, but begin earlier by now because something came
        between or before: as windows that end where they begin, with measures of no rows."""
        keys, same = self._kept_keys(), self._same_keys()
        theirs = Join(kept.schema, kept, _renamed(recent), "semi", all_of(*same))
        now = self._session_results(theirs, span)
        inside = (
            test("less_or_equal", whole(BEGIN), whole(_other(BEGIN))),
            test("greater_or_equal", whole(END), whole(_other(END))),
        )
        changed = Join(now.schema, now, _renamed(recent), "semi", all_of(*same, *inside))
        before = self._session_bounds(self._without(theirs, recent), span)
        begins = test("equal", whole(BEGIN), whole(_other(BEGIN)))
        gone = Join(before.schema, before, _renamed(now), "anti", all_of(*same, begins))
        nothing = {name: measure.map(_of_no_rows) for name, measure in self.groups.measures}
        empty = project(gone, {BEGIN: whole(BEGIN), **dict(keys), **nothing})
        begin, end = whole(BEGIN), add(whole(END), number(span.length))
        given = (
            result(changed, self.groups, bounds(span, begin, end), self.of, closed=False),
            result(empty, self.groups, bounds(span, begin, begin), self.of, closed=False),
        )
        return SetOperation(self.of, given, "union_all")

    def _session_results(self, kept: Relation, span: Span) -> Relation:
        keys = self._kept_keys()
        numbered = in_sessions(kept, tuple(e for _, e in keys), whole(BEGIN), whole(END), span.length)
        return self._measured(numbered, ((SESSION, whole(SESSION)), *keys), _SESSION_ENDS)

    def _session_bounds(self, kept: Relation, span: Span) -> Relation:
        keys = self._kept_keys()
        numbered = in_sessions(kept, tuple(e for _, e in keys), whole(BEGIN), whole(END), span.length)
        return grouped_by(numbered, ((SESSION, whole(SESSION)), *keys), _SESSION_ENDS)

    def _without(self, kept: Relation, recent: Relation) -> Relation:
        """Where what is kept stood before something recent came: keys, and bounds."""
        where = (*self._times(), *self._kept_keys())
        counted = [project(rows, {**dict(where), _TIMES: number(times)}) for rows, times in ((kept, 1), (recent, -1))]
        both = SetOperation(counted[0].schema, tuple(counted), "union_all")
        summed = grouped_by(both, where, ((_TIMES, Aggregate(WHOLE, "sum", (whole(_TIMES),))),))
        return Filter(summed.schema, summed, test("greater", whole(_TIMES), number(0)))

    def _same_keys(self) -> list[Expr]:
        """That rows have the keys of others, whose columns are renamed."""
        return [test("not_distinct", column(name, e.type), column(_other(name), e.type)) for name, e in self._kept_keys()]

    def compacted(self, kept: Relation) -> Relation:
        """As few rows as say the same. (Sessions are left to their end, and rows that are kept whole are what they are.)"""
        keys = (*self._times(), *self._kept_keys(), (SLOT, ref(kept.schema[SLOT])))
        merged = self.parts.merged(kept, keys)
        return project(merged, {c.name: column(c.name, c.type) for c in self.kept_schema})

    @property
    def compacts(self) -> bool:
        return not self.parts.whole and (self._span is None or self._span.kind != "session")

    def opens(self, kept: Relation) -> Relation:
        """The least horizon at which something may close, as the only value; null when nothing is kept."""
        span = self._span
        if span is None:
            raise ValueError("without windows nothing closes")
        length, first = number(self.open_for), whole(self.first_column or "")
        if span.kind == "sliding":
            first = _whole_call("greatest", first, add(window_start(subtract(BEFORE, length), span.every), number(span.every)))
        return grouped_by(kept, (), ((HORIZON_AT, Aggregate(WHOLE, "min", (add(first, length),))),))

    def _windows(self, kept: Relation) -> Relation:
        """What is kept, in each window that it belongs to."""
        span = self._span
        if span is None or span.every == span.length:
            return kept
        pane = with_columns(kept, {TIME: whole(WINDOW), WINDOW: window_start(whole(WINDOW), span.every)})
        each = overlapping(pane, span, whole(TIME))
        return Filter(each.schema, each, test("greater_or_equal", whole(WINDOW), whole(_FROM)))

    def _sessions(self, kept: Relation) -> Relation:
        """What belongs to sessions that are over at `HORIZON`, by the number of the session among those of its key."""
        length = self.groups.window.length if self.groups.window else 0
        keys = tuple(e for _, e in self._kept_keys())
        numbered = in_sessions(kept, keys, whole(BEGIN), whole(END), length)
        end = Window(WHOLE, Aggregate(WHOLE, "max", (whole(END),)), (*keys, whole(SESSION)))
        ended = with_columns(numbered, {TIME: add(end, number(length + self.delay))})
        return Filter(ended.schema, ended, test("less_or_equal", whole(TIME), HORIZON))

    def _result(self, below: Relation, *, closed: bool) -> Relation:
        span, keys = self._span, self._kept_keys()
        if span is None:
            return self._measured(below, keys, ())
        if span.kind == "session":
            found = self._measured(below, ((SESSION, whole(SESSION)), *keys), _SESSION_ENDS)
            begin, end = whole(BEGIN), whole(END)
        else:
            found = self._measured(below, ((WINDOW, whole(WINDOW)), *keys), ())
            begin = end = whole(WINDOW)
        return result(found, self.groups, bounds(span, begin, add(end, number(span.length))), self.of, closed=closed)

    def _measured(self, below: Relation, keys: Named, more: Named) -> Relation:
        if self.parts.whole:
            rows = tuple((name, measure.map(_as_row)) for name, measure in self.groups.measures)
            return grouped_by(below, keys, (*rows, *more))
        merged = self.parts.merged(below, keys, more)
        passed = tuple((name, column(name, merged.schema[name].type)) for name, _ in (*keys, *more))
        return project(merged, dict((*passed, *self.parts.measures)))

    # Names -----------------------------------------------------------------------------------------------------------

    @property
    def _span(self) -> Span | None:
        return self.groups.window

    @property
    def _pane(self) -> int:
        span = self._span
        return gcd(span.length, span.every) if span else 1

    def _times(self) -> Named:
        """The columns that say where in time something is."""
        names = {"": (), "session": _ENDS, "tumbling": (WINDOW,), "moment": (WINDOW,), "sliding": (WINDOW, _FROM)}[
            self._span.kind if self._span else ""
        ]
        return tuple((name, whole(name)) for name in names)

    def _new_keys(self) -> Named:
        """The keys of rows that come: where they were computed."""
        return tuple((name, column(f"#:key {i}", e.type)) for i, (name, e) in enumerate(self.groups.keys))

    def _kept_keys(self) -> Named:
        return tuple((name, column(name, e.type)) for name, e in self.groups.keys)

    @property
    def _read(self) -> tuple[str, ...]:
        return tuple(sorted({c for _, measure in self.groups.measures for c in measure.columns()}))


_ENDS = (BEGIN, END)
_SESSION_ENDS: Named = ((BEGIN, Aggregate(WHOLE, "min", (whole(BEGIN),))), (END, Aggregate(WHOLE, "max", (whole(END),))))


#: How often something stands somewhere.
_TIMES = "#:times"


def _other(name: str) -> str:
    return f"#:other {name}"


def _renamed(rows: Relation) -> Relation:
    return project(rows, {_other(c.name): ref(c) for c in rows.schema})


def _of_no_rows(e: Expr) -> Expr:
    """What an aggregate comes to without rows."""
    if not isinstance(e, Aggregate):
        return e
    return constant(0 if e.function in COUNTS else None, e.type)


def _row(name: str) -> str:
    return f"#:row {name}"


def _as_row(e: Expr) -> Expr:
    return column(_row(e.name), e.type) if isinstance(e, ColumnRef) else e


def late_of(placed: Relation, columns: Collection[str]) -> Relation:
    """Of rows that know whether they are late those that are, with these columns behind `LATE`."""
    late = Filter(placed.schema, placed, column(LATE, Boolean()))
    return project(late, {LATE: column(LATE, Boolean()), **{c.name: ref(c) for c in placed.schema if c.name in columns}})


def surely(condition: Expr) -> Expr:
    """Whether it is true; not when that is unknown."""
    return Call(Boolean(), "coalesce", (condition, constant(False, Boolean())))


def _whole_call(function: str, *args: Expr) -> Expr:
    return Call(WHOLE, function, args)
