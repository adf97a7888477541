"""The stretches of time in which a zone's clocks keep one distance from UTC: all that schedules have to know about summer time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

#: The ends of the calendar, a few days in, so that nothing is pushed over them that is reckoned with them.
FIRST = datetime(1, 1, 8, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)

#: No zone has ever changed its clocks twice within a day.
_STEP = timedelta(days=1)
#: So that the first stretch is there soon: most zones have not changed their clocks for decades.
_LONGEST = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to `end`, both UTC, local clocks show UTC plus `offset`."""

    start: datetime
    end: datetime
    offset: timedelta

    def local(self, instant: datetime) -> datetime:
        """What the clocks show, without a zone."""
        return instant.replace(tzinfo=None) + self.offset

    def instant(self, reading: datetime) -> datetime:
        """When the clocks show it, in UTC."""
        return (reading - self.offset).replace(tzinfo=UTC)


def stretches(zone: tzinfo, start: datetime, end: datetime = END) -> Iterator[Stretch]:
    """The stretches from `start` to `end`, one after the other without a gap. Neighbours may have the same offset."""
    begun, seen, offset = start, start, _offset(zone, start)
    while seen < end:
        ahead = min(seen + _STEP, end)
        if (changed := _offset(zone, ahead)) != offset:
            turn = _turn(zone, seen, ahead, offset)
            yield Stretch(begun, turn, offset)
            begun, offset = turn, changed
        elif ahead - begun >= _LONGEST:
            yield Stretch(begun, ahead, offset)
            begun = ahead
        seen = ahead
    if begun < end:
        yield Stretch(begun, end, offset)


def _turn(zone: tzinfo, before: datetime, after: datetime, offset: timedelta) -> datetime:
    """The second in which the clocks change, between two instants of which the first has the offset and the second has not."""
    low, high = 0, int((after - before).total_seconds()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == offset:
            low = middle
        else:
            high = middle
    return (before + timedelta(seconds=high)).replace(microsecond=0)


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
