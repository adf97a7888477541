"""How far window functions look back, where they look at nothing else: then a stream can compute them. Not what they compute."""

from __future__ import annotations

from datetime import timedelta

from headrace.business.model.types import Interval
from headrace.business.processing.expressions.ir import Aggregate, Call, ColumnRef, Constant, Frame, Window
from headrace.business.processing.relation import Dataset, Project, Relation
from headrace.business.processing.stateful import Sequences
from headrace.records import record

#: Beside aggregates the functions that see the rows of their frame and nothing else.
_FRAMED = ("first_value", "last_value", "nth_value")


@record
class _Back:
    """So many rows, and so many microseconds."""

    rows: int = 0
    span: int = 0


def sequences(below: Relation, whole: Project) -> Sequences | None:
    """The rows in the order of an event time, where all window functions share it and look back by a number of rows or a length of time;
    None where some do not."""
    windows = [node for _, e in whole.columns for node in e.walk() if isinstance(node, Window)]
    first = windows[0]
    key = next(iter(first.order_by), None)
    if not isinstance(below, Dataset) or key is None or key.descending or not isinstance(key.expression, ColumnRef):
        return None
    if any(window.partition_by != first.partition_by or window.order_by != first.order_by for window in windows):
        return None
    looks = [_back(window) for window in windows]
    known = [look for look in looks if look is not None]
    if key.expression.name not in below.times or len(known) < len(looks):
        return None
    rows, span = max(look.rows for look in known), max(look.span for look in known)
    return Sequences(below, first.partition_by, first.order_by, key.expression.name, rows, span, whole)


def _back(window: Window) -> _Back | None:
    call = window.call
    if isinstance(call, Call) and call.function == "lag":
        rows = 1 if len(call.args) == 1 else call.args[1].value if isinstance(call.args[1], Constant) else None
        return _Back(rows) if isinstance(rows, int) and rows >= 0 else None
    if isinstance(call, Aggregate) or (isinstance(call, Call) and call.function in _FRAMED):
        return _framed(window.frame)
    return None


def _framed(frame: Frame | None) -> _Back | None:
    if frame is None or frame.end[0] not in ("preceding", "current_row"):
        return None
    kind, distance = frame.start
    if kind == "current_row":
        return _Back()
    if kind != "preceding" or not isinstance(distance, Constant):
        return None
    if frame.unit == "rows":
        return _Back(rows=distance.value)
    if isinstance(distance.type, Interval) and isinstance(distance.value, timedelta):
        return _Back(span=distance.value // timedelta(microseconds=1))
    return None
