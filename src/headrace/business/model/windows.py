"""What a definition says of windows of event time: how long they are, and when they are given out. Not what they come to in a batch or in a
stream (see `processing.steps.event_windows`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from headrace.business.model.part import Model
from headrace.business.model.stream import Some
from headrace.business.model.wording import Misworded

#: When the row of a group is given out in a stream: when its window closes, whenever it has changed, or both.
Emit = Literal["close", "change", "both"]

#: In how many windows a row may be at the most: each of them is computed for each row.
MOST_WINDOWS = 1000


#: How long windows may be: their bounds are counted in microseconds, and a stream ends by letting a thousand years go by.
LONGEST = timedelta(days=365_000)

#: What is put behind the name of a step for the dataset of the rows that came too late for it, on each side of a join.
LATE, LATE_LEFT, LATE_RIGHT = ".late", ".left.late", ".right.late"


class EventWindow(Model):
    """How rows are put into windows of time. Windows begin at multiples of their length from the start of 1970 in UTC, and a row at the
    end of one is in the next."""

    tumbling: Some | None = Field(None, description="The length of windows of which each row is in one")
    sliding: Some | None = Field(None, description="The length of windows that overlap")
    every: Some | None = Field(None, description="How far apart sliding windows begin")
    session: Some | None = Field(
        None,
        description="The length of the silence that ends a window, which begins with a row and is as long as there are more",
    )
    on: str | None = Field(
        None, description="The column with the time, a timestamp or a date: that of the source's watermark, unless said"
    )
    start: Annotated[str, Field(min_length=1)] = Field("window_start", description="What the column of the starts is called")
    end: Annotated[str, Field(min_length=1)] = Field("window_end", description="What the column of the ends is called")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in ("tumbling", "sliding", "session") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise Misworded(
                "a window is either `tumbling`, `sliding` or `session`", "for example `window: {tumbling: 10 seconds, on: at}`"
            )
        if (self.sliding is None) != (self.every is None):
            raise Misworded("`sliding` and `every` belong together", "for example `{sliding: 1 minute, every: 10 seconds}`")
        if max(length for kind in kinds if (length := getattr(self, kind))) > LONGEST:
            raise Misworded(
                "a window cannot be longer than a thousand years", "leave `window` out to have one group for all time"
            )
        if self.sliding is not None and self.every is not None:
            _demand_sensible(self.sliding, self.every)
        return self


def _demand_sensible(length: timedelta, every: timedelta) -> None:
    if every > length:
        raise Misworded("rows between two windows would be in none", "let `every` be no longer than `sliding`")
    if length > every * MOST_WINDOWS:
        raise Misworded(f"each row would be in more than {MOST_WINDOWS} windows", "let `every` be longer")
