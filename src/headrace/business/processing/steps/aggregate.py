"""The step `aggregate`: one row for each group of rows, or for each group and window of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from headrace.business.model.durations import Duration
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import Date, Timestamp
from headrace.business.model.windows import Emit, EventWindow
from headrace.business.processing.event_time import event_time, event_times
from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Expr
from headrace.business.processing.relation import GroupBy, Relation, columns_of
from headrace.business.processing.stateful import Groups, Span, Stateful
from headrace.business.processing.steps.event_windows import CLOSED, in_batch, microseconds, windowed_schema
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression, Name, Names
from headrace.business.processing.steps.projection import ref

#: Aggregates that have a value even when there is nothing to aggregate.
COUNTS = ("count", "count_if", "approx_count_distinct")


class AggregateStep(Plugin):
    """Gives one row for each group of equal values (nulls are equal here), with measures over its rows; one row in all
    when there is no `by`.

    With a `window`, rows are grouped by time as well, and the result begins with the columns `window_start` and `window_end`: a
    window holds the rows from its start on and before its end. Rows without a time are in no window. A stream gives out a window when
    the watermark has passed its end, and `lateness` more; rows that come for closed windows alone are in the dataset
    `<name of the step>.late`.
    With `emit: change` it gives out every group that has changed at each checkpoint, with `both` also when the window closes,
    which the column `window_closed` says. Without a window a stream gives out groups that have an event time among their keys, such as the
    end of an auction or of a window, when the watermark has passed it. Others need `emit: change`: there is no end to wait for.

    ```yaml
    - aggregate:
        by: [carrier, origin]
        measures: {flights: count(*), late: count(*) filter (where dep_delay > 15), mean_delay: avg(dep_delay)}
    - aggregate: {by: {month: "date_trunc('month', time_hour)"}, measures: {miles: sum(distance)}}
    - aggregate: {by: [id, expires], measures: {price: max(price)}}
    - aggregate: {window: {tumbling: 10 minutes, on: time_hour}, by: [origin], measures: {flights: count(*)}}
    - aggregate: {window: {sliding: 1 hour, every: 10 minutes, on: time_hour}, measures: {flights: count(*)}, lateness: 30 seconds}
    - aggregate: {window: {session: 2 hours, on: time_hour}, by: [tailnum], measures: {flights: count(*)}, emit: both}
    ```
    """

    kind: ClassVar[str] = "aggregate"

    by: Mapping[Name, Expression] | Names = Field((), description="The columns that make a group, or expressions by name")
    measures: Mapping[Name, Expression] = Field(
        default_factory=dict, description="By name, an expression with aggregates such as `sum(distance)`"
    )
    window: EventWindow | None = Field(None, description="Windows of event time, each a group of its own")
    lateness: Duration = Field(
        timedelta(), description="In a stream: how much longer than the watermark says rows of a window are waited for"
    )
    emit: Emit | None = Field(
        None, description="In a stream, when rows are given out: on `close` of the window, on `change`, or `both`"
    )

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        if not self.by and not self.measures:
            findings.add(
                "say what makes a group with `by`, or what to measure", hint="for example `measures: {rows: count(*)}`"
            )
        keys = self._keys(below.schema, findings)
        measures = read_measures(self.measures, below.schema, keys, findings, "measures")
        span = self._span(below, findings)
        added = [] if span is None else [span.start, span.end, *([CLOSED] if self.emit == "both" else [])]
        findings.distinct(((name, ("measures", name)) for name in self.measures), taken=[*added, *keys])
        findings.distinct(((name, ("window",)) for name in added), taken=keys)
        moment = _moment(below, keys) if self.window is None and self.emit != "change" else None
        self._demand_sense(findings, moment)
        findings.settle()
        plain = group(below, keys, measures)
        if moment is not None:
            groups = Groups(below, plain.keys, plain.measures, moment, "close", _whole(self.lateness))
            return Stateful(plain.schema, plain, groups)
        if span is None and self.emit is None:
            return plain
        groups = Groups(below, plain.keys, plain.measures, span, self.emit or "close", _whole(self.lateness))
        if span is None:
            return Stateful(plain.schema, plain, groups)
        schema = windowed_schema(groups, span, plain.schema)
        return Stateful(schema, in_batch(groups, span, schema), groups)

    def _demand_sense(self, findings: Findings, moment: Span | None) -> None:
        if self.window is None and self.lateness and moment is None:
            findings.add("without a window nothing is late", "lateness", hint="say `window: {tumbling: ...}`, or leave it out")
        if self.window is None and (self.emit == "both" or (self.emit == "close" and moment is None)):
            hint = "say `emit: change`, or give it a `window`"
            findings.add(f"`emit: {self.emit}` needs a window that closes", "emit", hint=hint)

    def _span(self, below: Relation, findings: Findings) -> Span | None:
        window = self.window
        if window is None:
            return None
        name = window.on or event_time(below)
        if name is None:
            findings.add(
                "say which column has the time", "window", hint="for example `on: at`, or give the source a `watermark`"
            )
            return None
        on = findings.column(below.schema, name, "window", "on")
        if on is None:
            return None
        if not isinstance(on.type, Timestamp | Date):
            hint = "choose a timestamp or a date, or cast it before"
            findings.add(f"`{on.name}` is of type {on.type}, which is no time", "window", "on", hint=hint)
        length = window.tumbling or window.sliding or window.session or timedelta()
        kind: Literal["tumbling", "sliding", "session"] = (
            "tumbling" if window.tumbling else "sliding" if window.sliding else "session"
        )
        zone = isinstance(on.type, Timestamp) and on.type.zone
        every = window.every or length
        return Span(kind, microseconds(ref(on)), _whole(length), _whole(every), window.start, window.end, zone)

    def _keys(self, schema: Schema, findings: Findings) -> dict[str, Expr]:
        if not isinstance(self.by, Mapping):
            return {c.name: ref(c) for c in findings.columns(schema, self.by, "by")}
        findings.distinct((name, ("by", name)) for name in self.by)
        read = {name: findings.expression(text, schema, "by", name) for name, text in self.by.items()}
        return {name: e for name, e in read.items() if e is not None}


def _moment(below: Relation, keys: Mapping[str, Expr]) -> Span | None:
    """The key that is an event time: groups are over when that has passed. None where there is none."""
    times = event_times(below)
    named = {e.name: name for name, e in keys.items() if isinstance(e, ColumnRef) and not e.outer}
    found = next((name for name in times if name in named), None)
    if found is None:
        return None
    key = named[found]
    return Span("moment", microseconds(ref(below.schema[found])), 1, 1, key, key, zone=False)


def read_measures(
    texts: Mapping[str, str], schema: Schema, keys: Mapping[str, Expr], findings: Findings, *path: str | int
) -> dict[str, Expr]:
    """The expressions of measures. Outside of aggregates they may use the columns that make the groups, and no others."""
    grouped = {e.name for e in keys.values() if isinstance(e, ColumnRef)}
    measures = {}
    for name, text in texts.items():
        expression = findings.expression(text, schema, *path, name, aggregates=True)
        if expression is None:
            continue
        for column in dict.fromkeys(_bare(expression)):
            if column not in grouped:
                hint = f"write for example `max({column})`, or put it into `by`"
                if grouped and not any(isinstance(e, Aggregate) for e in expression.walk()):
                    hint = f"{hint} ({did_you_mean(column, sorted(grouped))})"
                findings.add(f"`{column}` has many values in a group", *path, name, hint=hint, offset=max(text.find(column), 0))
        measures[name] = expression
    return measures


def group(below: Relation, keys: Mapping[str, Expr], measures: Mapping[str, Expr]) -> GroupBy:
    pairs, measured = tuple(keys.items()), tuple(measures.items())
    never_null = {name for name, e in measured if isinstance(e, Aggregate) and e.function in COUNTS}
    schema = columns_of((*pairs, *measured), below.schema)
    return GroupBy(
        Schema(tuple(replace(c, nullable=False) if c.name in never_null else c for c in schema)), below, pairs, measured
    )


def _whole(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _bare(expression: Expr) -> Iterator[str]:
    """The columns that an expression reads outside of its aggregates."""
    if isinstance(expression, Aggregate):
        return
    if isinstance(expression, ColumnRef) and not expression.outer:
        yield expression.name
    for child in expression.children():
        yield from _bare(child)
