"""Checks of a stream: each judges windows of event time of its dataset, one after the other. What they measure, and what has no windows.

Not when they are judged, nor what a verdict leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from headrace.business.model.definition import Definition
from headrace.business.model.schema import Schema
from headrace.business.model.types import Timestamp
from headrace.business.processing.plan import PlannedCheck
from headrace.business.processing.relation import Dataset, columns_of
from headrace.business.processing.stateful import Groups, Span
from headrace.business.processing.steps.event_windows import microseconds, windowed_schema
from headrace.business.processing.steps.projection import ref
from headrace.errors import Path, Problem

#: The columns that say from when to when the window is that was measured.
START, END = "#:start", "#:end"

_OF_THE_WHOLE: Mapping[str, tuple[str, str]] = {
    "anomaly": ("this compares with the weeks of runs before, and a stream is one run", "use `rate_anomaly`, or bounds"),
    "row_count_anomaly": ("this compares with the weeks of runs before, and a stream is one run", "use `rate_anomaly`"),
    "freshness": (
        "the newest row of a stream is as old as its watermark",
        "use `row_count: {min: 1, per: 1 minute}`, which goes by event time, or `stream: {silence: 1 minute}`, which goes by the clock",
    ),
    "reconcile": (
        "this compares two datasets when both are whole, and that of a stream never is",
        "compare what the stream has published in a batch pipeline",
    ),
    "schema_drift": ("the columns of a stream do not change while it runs", "say what they are in the contract"),
}


def windows_of(check: str) -> str:
    """The name under which a stream gives out what a check has measured, window by window."""
    return f"check {check}"


def measured(check: PlannedCheck, rows: Dataset, time: str, length: int) -> tuple[Groups, Schema]:
    """What a check measures in windows of so many microseconds by the column of the time, and the columns of that."""
    on = rows.schema[time]
    zone = isinstance(on.type, Timestamp) and on.type.zone
    span = Span("tumbling", microseconds(ref(on)), length, length, START, END, zone)
    measures = tuple(check.measures.items())
    groups = Groups(rows, (), measures, span, "close", 0)
    return groups, windowed_schema(groups, span, columns_of(measures, rows.schema))


def problems(definition: Definition) -> Iterator[Problem]:
    """The checks that cannot judge a stream, each with its reason."""
    for i, check in enumerate(definition.checks):
        kind = check.plugin.kind
        path: Path = ("checks", i, kind)
        if kind in _OF_THE_WHOLE:
            yield Problem(_OF_THE_WHOLE[kind][0], path, _OF_THE_WHOLE[kind][1], on_key=True)
        elif length_of(check.plugin) is None:
            hint = f"say how long the windows of event time are that it judges: `{kind}: {{..., per: 1 minute}}`"
            yield Problem("a check judges a whole dataset, and that of a stream is never whole", path, hint, on_key=True)
        elif getattr(check.plugin, "recover", None) is not None:
            yield Problem("`recover` looks back at earlier runs, and a stream is one run", (*path, "recover"), "take it out")


def problems_in_batch(definition: Definition) -> Iterator[Problem]:
    """The checks that judge streams alone."""
    for i, check in enumerate(definition.checks):
        if length_of(check.plugin) is not None:
            path: Path = ("checks", i, check.plugin.kind, "per")
            hint = "leave `per` out, or read from a broker"
            yield Problem("a batch is judged as a whole, and not by windows of event time", path, hint, on_key=True)


def length_of(check: object) -> int | None:
    """How long the windows are that a check judges, in microseconds."""
    per: timedelta | None = getattr(check, "per", None)
    return None if per is None else per // timedelta(microseconds=1)
