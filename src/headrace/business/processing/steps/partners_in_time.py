"""When the partners of a row may have happened: what `join` makes of `within`, `between` and of times that are matched. Not which columns
have to be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from headrace.business.model.schema import Column
from headrace.business.model.types import Date, Interval, Timestamp
from headrace.business.processing.event_time import event_time
from headrace.business.processing.expressions.build import all_of, test
from headrace.business.processing.expressions.ir import Call, ColumnRef, Constant, Expr
from headrace.business.processing.relation import Dataset, Relation
from headrace.business.processing.stateful import Reach
from headrace.business.processing.steps.event_windows import add, microseconds, number, subtract
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.partners import Match
from headrace.business.processing.steps.projection import ref
from headrace.records import record

_MICROSECOND = timedelta(microseconds=1)


@record
class InTime:
    """How near in time two rows have to be."""

    option: str | None
    """What says so; None where it follows from what is matched."""
    reach: tuple[Reach, Reach]
    bounds: tuple[Expr, Expr] | None = None
    """The first and the last moment at which theirs may have happened, in columns of ours: microseconds."""

    def condition(self, theirs: Relation) -> Expr | None:
        """That a row of ours and one of theirs are near enough; None where nothing more needs to be said."""
        time = event_time(theirs)
        if self.bounds is None or time is None:
            return None
        happened = microseconds(ref(theirs.schema[time]))
        first, last = self.bounds
        return all_of(test("greater_or_equal", happened, first), test("less_or_equal", happened, last))


def within(left: Relation, right: Relation, name: str, length: timedelta, findings: Findings) -> InTime | None:
    """No further apart than so long."""
    ours, theirs = _time(left, "this dataset", "within", findings), _time(right, f"`{name}`", "within", findings)
    if ours is None or theirs is None:
        return None
    most = length // _MICROSECOND
    mine, their = microseconds(ref(ours)), microseconds(ref(theirs))
    reach = Reach(ours.name, add(mine, number(most)), most), Reach(theirs.name, add(their, number(most)), most)
    return InTime("within", reach, (subtract(mine, number(most)), add(mine, number(most))))


def between(left: Relation, right: Relation, name: str, texts: tuple[str, str], findings: Findings) -> InTime | None:
    """From a time of ours to another one, both included."""
    theirs = _time(right, f"`{name}`", "between", findings)
    first, last = (_moment(text, left, findings, i) for i, text in enumerate(texts))
    if first is None or last is None or theirs is None:
        return None
    begins, shift = shifted(first)
    if begins is None:
        hint = "for example `at` or `at - interval '5 minutes'`"
        findings.add("the time from which on partners count is a column, perhaps less an interval", "between", 0, hint=hint)
        return None
    ends, later = shifted(last)
    reach = (
        Reach(begins, microseconds(last), later if ends == begins else None, ends if not later else None),
        Reach(theirs.name, subtract(microseconds(ref(theirs)), number(shift)), -shift),
    )
    return InTime("between", reach, (microseconds(first), microseconds(last)))


def matched(left: Relation, right: Relation, matches: Sequence[Match]) -> InTime | None:
    """The same time, where one is matched by which rows of both can be told to be over, such as the bounds of windows."""
    if not isinstance(left, Dataset) or not isinstance(right, Dataset):
        return None
    pairs = {match.left.name: match.right for match in matches if match.right.name in right.times}
    ours = next((left.schema[name] for name in left.times if name in pairs), None)
    if ours is None:
        return None
    theirs = pairs[ours.name]
    return InTime(None, (Reach(ours.name, microseconds(ref(ours)), 0), Reach(theirs.name, microseconds(ref(theirs)), 0)))


def shifted(moment: Expr) -> tuple[str | None, int]:
    """The column that an expression is, and how much later than it (microseconds); no column for anything else."""
    if isinstance(moment, ColumnRef) and not moment.outer:
        return moment.name, 0
    if isinstance(moment, Call) and moment.function in ("add", "subtract") and len(moment.args) == 2:
        below, by = moment.args
        if isinstance(by, Constant) and isinstance(by.type, Interval) and isinstance(by.value, timedelta):
            name, before = shifted(below)
            length = by.value // _MICROSECOND
            return name, before + (length if moment.function == "add" else -length)
    return None, 0


def _time(relation: Relation, name: str, option: str, findings: Findings) -> Column | None:
    time = event_time(relation)
    if time is None:
        hint = "give the source a `watermark`, and pass its column on as it is"
        findings.add(f"nothing says when the rows of {name} happened", option, hint=hint)
        return None
    return relation.schema[time]


def _moment(text: str, left: Relation, findings: Findings, place: int) -> Expr | None:
    found = findings.expression(text, left.schema, "between", place)
    if found is None or isinstance(found.type, Timestamp | Date):
        return found
    findings.add(f"`{text}` is of type {found.type}, which is no time", "between", place, hint="choose a timestamp or a date")
    return None
