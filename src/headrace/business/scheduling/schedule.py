"""When a schedule ticks, and which ticks are due. Pure: whoever asks brings the time, and remembers how far it has come.

How summer time is treated is what the manuals of Debian's cron and of FreeBSD's `cron -s` promise:

- An expression for some hours of the day (`30 2 * * *`) names times of day, and each comes once. A time that is skipped when clocks go
  forward comes right after the gap, several such times together as one tick. A time that is shown twice comes the first time.
- An expression for all hours (`*/10 * * * *`, `0 * * * *`) counts time going by: nothing comes for an hour that never was, and it goes on
  through both of two hours that are shown alike. So do intervals.

The line between the two is the hour field. Debian draws it by a `*` at the beginning of the minute or the hour field, which would let
`*/10 2 * * *` and `0 */2 * * *` miss a day in spring and come twice in autumn, against what its manual says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from headrace.business.model.cron import Cron
from headrace.business.model.definition import Parameter
from headrace.business.model.orchestration import Schedule
from headrace.business.scheduling.zones import END, FIRST, stretches

#: From here intervals are counted: a Monday, so that weeks begin as people expect.
_ANCHOR = datetime(1970, 1, 5, tzinfo=UTC)
#: Longer than any clock was ever put back, so that what was shown before is known.
_LOOK_BACK = timedelta(days=2)
#: So many ticks are made up for at a time. A schedule of every minute that was down for a year asks again, and goes on from there.
MOST_AT_ONCE = 1_000
#: A tick is on time for so long: longer than a scheduler takes to look again.
ON_TIME = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A point in time at which a pipeline is to run."""

    at: datetime
    """In UTC."""
    local: datetime
    """What the clocks of the schedule's zone show then, without a zone."""

    def key(self, pipeline: str) -> str:
        """By this a run of this tick is told from all others, so that no tick gets two."""
        return f"schedule:{pipeline}:{self.at.replace(tzinfo=None).isoformat()}Z"


def tick_of(key: str, pipeline: str) -> datetime | None:
    """When the tick was that a key stands for; None if the key is not one of this pipeline's ticks."""
    prefix = f"schedule:{pipeline}:"
    if not (key.startswith(prefix) and key.endswith("Z")):
        return None
    try:
        return datetime.fromisoformat(key.removeprefix(prefix).removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None


def ticks_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The ticks later than `after`, in UTC, each later than the one before; without end, but for the schedule's and the calendar's."""
    zone = ZoneInfo(schedule.timezone)
    first = _midnight(schedule.start, zone) if schedule.start else FIRST
    end = _midnight(schedule.end + timedelta(days=1), zone) if schedule.end and schedule.end < date.max else END
    last = max(after.astimezone(UTC), first - timedelta(microseconds=1))
    if schedule.every is not None:
        yield from _intervals(schedule.every, first if schedule.start else _ANCHOR, last, end)
    elif schedule.cron is not None:
        yield from _times(schedule.cron, zone, last, end)


def next_ticks(schedule: Schedule, now: datetime, count: int = 3) -> list[Tick]:
    """The next ticks, for people to see."""
    return [tick_at(schedule, at) for at in islice(ticks_after(schedule, now), count)]


def tick_at(schedule: Schedule, at: datetime) -> Tick:
    """The tick of that time, which has to be one."""
    return Tick(at, at.astimezone(ZoneInfo(schedule.timezone)).replace(tzinfo=None))


def due(schedule: Schedule, last: datetime | None, now: datetime, *, most: int = MOST_AT_ONCE) -> list[Tick]:
    """The ticks after `last` up to `now` that are to get a run, the oldest first.

    `last` is what `seen_up_to` said the time before; None for a schedule that nobody has looked at yet, which then counts from its
    `start`, or from now if it has none. By `catch_up: all` each tick is due, at most `most` of them at once; by `last` the latest
    alone; by `none` the latest, if it is not older than `ON_TIME`. A clock that was put back makes nothing due that was due before.
    """
    if last is None:
        if schedule.start is None:
            return []
        last = _midnight(schedule.start, ZoneInfo(schedule.timezone)) - timedelta(microseconds=1)
    passed = takewhile(lambda at: at <= now, ticks_after(schedule, last))
    if schedule.catch_up == "all":
        return [tick_at(schedule, at) for at in islice(passed, most)]
    latest = None
    for latest in passed:  # noqa: B007 - the last one is wanted
        pass
    if latest is None or (schedule.catch_up == "none" and now - latest > ON_TIME):
        return []
    return [tick_at(schedule, latest)]


def seen_up_to(ticks: Sequence[Tick], last: datetime | None, now: datetime, *, most: int = MOST_AT_ONCE) -> datetime:
    """How far a schedule has come when the runs of the due `ticks` are recorded: the `last` of the next time. It only grows."""
    reached = ticks[-1].at if len(ticks) >= most else now
    return reached if last is None else max(last, reached)


def deadline(schedule: Schedule, tick: Tick) -> datetime | None:
    """When the results of a tick have to be published, or None if nothing was promised."""
    return tick.at + schedule.expect_within if schedule.expect_within is not None else None


def overdue(schedule: Schedule, covered: datetime, now: datetime) -> Tick | None:
    """The first tick whose deadline has passed without published results, if there is one.

    `covered` is the latest tick that has them, or when the schedule was first looked at: later results make good for missing ones.
    """
    for tick in next_ticks(schedule, covered, 1):
        due_by = deadline(schedule, tick)
        return tick if due_by is not None and due_by < now else None
    return None


def run_params(schedule: Schedule, tick: Tick, declared: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters of the run of a tick: those that the schedule gives, and the date or time of its partition."""
    given = dict(schedule.params)
    if schedule.partition is not None:
        about = tick.local - schedule.partition.ago
        parameter = declared.get(schedule.partition.param)
        exact = parameter is not None and parameter.type == "timestamp"
        given[schedule.partition.param] = about.isoformat() if exact else about.date().isoformat()
    return given


def _times(cron: Cron, zone: ZoneInfo, after: datetime, end: datetime) -> Iterator[datetime]:
    """The ticks of an expression. `shown` is how far the clocks have come, highest reading first seen."""
    shown, last = None, after
    for stretch in stretches(zone, max(FIRST, after - _LOOK_BACK), end):
        first, until = stretch.local(stretch.start), stretch.local(stretch.end)
        if shown is not None and not cron.every_hour:
            skipped = next(cron.readings(shown, first), None) if shown < first else None
            if skipped is not None and stretch.start > last:
                last = stretch.start
                yield last
            first = max(first, shown)
        shown = until if shown is None else max(shown, until)
        if stretch.end <= last:
            continue
        for reading in cron.readings(max(first, stretch.local(last)) if last > stretch.start else first, until):
            at = stretch.instant(reading)
            if at > last:
                last = at
                yield at


def _intervals(every: timedelta, anchor: datetime, after: datetime, end: datetime) -> Iterator[datetime]:
    number = (after - anchor) // every + 1
    while True:
        try:
            at = anchor + number * every
        except OverflowError:
            return
        if at >= end:
            return
        yield at
        number += 1


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins; where midnight is skipped, when the clocks have gone over it."""
    at = datetime.combine(min(max(day, FIRST.date()), END.date()), time(), zone)
    try:
        return min(max(at.astimezone(UTC), FIRST), END)
    except OverflowError:
        return FIRST if day.year == 1 else END
