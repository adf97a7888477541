"""Whether the newest row is new enough, and not newer than it can be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from headrace.business.model.durations import Duration, format_duration
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import Date, Null, Timestamp
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.checks.audit import AuditCheck, verdict
from headrace.business.validation.checks.measuring import aggregate, reading
from headrace.business.validation.checks.wording import span


class Freshness(AuditCheck):
    """How long ago the newest date or time of a column is, at the time that the run is for.

    A date stands for its whole day: it is as old as the time since the day ended, and today is 0 old. Readings without a
    zone are of `timezone`; where clocks are put back, the hour that comes twice is the first of the two. A newest row from
    the future, by more than `max_ahead`, fails: it would hide that nothing new arrives. So does a column without any value.
    """

    kind: ClassVar[str] = "freshness"

    column: str
    max_age: Duration = Field(description="How old the newest row may be", examples=["2 hours"])
    max_ahead: Duration = Field(
        timedelta(minutes=5), description="How far ahead of the run's time it may be, for clocks that differ"
    )
    timezone: str = Field("UTC", description="The time zone of dates and of timestamps without one", examples=["Europe/Berlin"])

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            column = options.column(self.column, "column")
            if not isinstance(column.type, Date | Timestamp | Null):
                options.refuse(
                    f"`{self.column}` is of type {column.type}, and freshness needs dates or timestamps", ("column",)
                )
            if self.timezone not in available_timezones():
                hint = did_you_mean(self.timezone, sorted(available_timezones()))
                options.refuse(f"there is no time zone `{self.timezone}`", ("timezone",), hint)
        return {"newest": aggregate("max", column)}

    def judge(self, measured: Measured) -> Verdict:
        newest: Any = measured.values["newest"]
        expected = f"at most {format_duration(self.max_age)} old"
        if newest is None:
            return verdict("fail", "no values", expected, measured.values)
        first, last = self._extent(newest)
        age, ahead = max(measured.now - last, timedelta()), first - measured.now
        found = {**measured.values, "age_seconds": age.total_seconds()}
        if ahead > self.max_ahead:
            return verdict("fail", f"{newest}, {span(ahead)} in the future", expected, found)
        return verdict("pass" if age <= self.max_age else "fail", f"{newest}, {span(age)} old", expected, found)

    def _extent(self, newest: date | datetime) -> tuple[datetime, datetime]:
        """The first and the last instant that a date or reading stands for."""
        zone = ZoneInfo(self.timezone)
        if isinstance(newest, datetime):
            instant = _instant(newest if newest.tzinfo else newest.replace(tzinfo=zone))
            return instant, instant
        following = newest + timedelta(days=1) if newest < date.max else newest
        return _instant(datetime.combine(newest, time(), zone)), _instant(datetime.combine(following, time(), zone))


def _instant(shown: datetime) -> datetime:
    """In UTC; at the two ends of the calendar, where that cannot be told, the reading itself."""
    try:
        return shown.astimezone(UTC)
    except OverflowError:
        return shown.replace(tzinfo=UTC)
