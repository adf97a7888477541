"""When a pipeline runs by itself, as definitions say it: schedules and triggers. Not when that comes about (see `business.scheduling`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from headrace.business.model.cron import CronOption
from headrace.business.model.durations import Duration
from headrace.business.model.part import Model
from headrace.business.model.schema import did_you_mean
from headrace.business.model.shorthand import Shorthand
from headrace.business.model.wording import Misworded

#: What becomes of ticks that came while nobody looked: each gets its run, the last one alone, or none.
CatchUp = Literal["all", "last", "none"]

_SHORTEST = timedelta(seconds=1)


def _zone(written: Any) -> str:
    if not isinstance(written, str):
        raise Misworded("a time zone is a name such as `Europe/Berlin`")
    try:
        # `localtime` is a zone on some machines, and another one on each.
        if written != "localtime" and ZoneInfo(written).key == written:
            return written
    except (LookupError, ValueError, OSError):
        pass
    raise Misworded(f"there is no time zone `{written}`", did_you_mean(written, sorted(available_timezones())))


def _day(written: Any) -> date:
    if isinstance(written, str) and len(written) == len("2024-01-31"):
        try:
            return date.fromisoformat(written)
        except ValueError:
            pass
    elif type(written) is date:
        return written
    raise Misworded(
        f"`{written}` is not a date" if isinstance(written, str) else "a date is needed here", "write 2024-01-31, say"
    )


TimeZone = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class Partition(Model):
    """The parameter that says which part of the data a scheduled run is about: it gets the tick's date, or an earlier one."""

    param: str = Field(description="A parameter of type `date`, `timestamp` or `string`")
    ago: Duration = Field(timedelta(), description="How long before the tick: `1 day` for the day before", examples=["1 day"])


def _partition(written: Any) -> Any:
    return {"param": written} if isinstance(written, str) else written


class Schedule(Model):
    """When the pipeline runs by itself: at the times of day of a cron expression, or after every so long.

    A bare text is a cron expression. Times of day are of `timezone`: one that is skipped when clocks go forward comes right after
    the gap, one that is shown twice when they go back comes the first time. An expression for all hours counts time going by instead.
    """

    cron: CronOption | None = Field(None, description="Minute, hour, day of the month, month, day of the week")
    every: Duration | None = Field(
        None, description="So often, counted from midnight at the beginning of `start`, else from Monday, 5 January 1970 UTC"
    )
    timezone: TimeZone = Field("UTC", description="Whose clocks are meant")
    catch_up: CatchUp = Field("last", description="Which ticks get their run that came while nothing was running")
    start: Day | None = Field(None, description="The first day")
    end: Day | None = Field(None, description="The last day, included")
    expect_within: Duration | None = Field(
        None, description="A run is late if its results are not published so long after its tick", examples=["30 minutes"]
    )
    partition: Annotated[Partition, Shorthand(_partition, of="param")] | None = Field(
        None, description="The parameter that gets the tick's date in `timezone`"
    )
    params: Mapping[str, Any] = Field(default_factory=dict, description="Values of other parameters")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.cron is None) == (self.every is None):
            wrong = "two rhythms: `cron` and `every`" if self.cron else "a schedule needs a rhythm"
            raise Misworded(wrong, 'write `cron: "0 6 * * *"` or `every: 15 minutes`')
        if self.every is not None and self.every < _SHORTEST:
            raise Misworded("a schedule cannot tick more than once a second", "write `every: 1 second` or longer")
        if self.start and self.end and self.end < self.start:
            raise Misworded(f"the schedule ends on {self.end} and begins on {self.start}", "`end` is the last day")
        if self.partition and self.partition.param in self.params:
            raise Misworded(f"`{self.partition.param}` is given twice: by `partition` and by `params`", "take one of them out")
        return self


def schedule_options(written: Any) -> Any:
    """A schedule as options: a bare text is a cron expression."""
    return {"cron": written} if isinstance(written, str) else written


class Trigger(Model):
    """What starts the pipeline besides the clock: a file that arrives, or what another pipeline publishes."""

    file: str | None = Field(
        None, description="A path or pattern in the project folder", examples=["incoming/*.csv"], min_length=1
    )
    pipeline: str | None = Field(None, description="The name of the other pipeline", examples=["orders"], min_length=1)
    params: Mapping[str, Any] = Field(default_factory=dict, description="Values of parameters for the run")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.pipeline is None):
            if self.file is None:
                raise Misworded("this trigger waits for nothing", 'write `file: "incoming/*.csv"` or `pipeline: orders`')
            raise Misworded("two triggers in one: `file` and `pipeline`", "begin a new item: `- pipeline: ...`")
        return self
