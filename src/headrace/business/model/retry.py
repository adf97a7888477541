"""How often a run is tried again, as people write it. Not how that is decided and done (see `resilience`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, StrictInt, model_validator

from headrace.business.model.durations import Duration, format_duration
from headrace.business.model.part import Model
from headrace.business.model.wording import Misworded
from headrace.resilience.backoff import RetryPolicy


class Retry(Model):
    """What becomes of a run that failed for a reason that may pass: a server down, a lock held. It is
    tried again after a wait, chosen at random below a bound that doubles from one attempt to the next. What was published is not
    published twice."""

    attempts: StrictInt = Field(3, ge=1, description="How often it is tried in all; 1 for never again")
    base_delay: Duration = Field(timedelta(milliseconds=500), description="The bound of the first wait")
    max_delay: Duration = Field(
        timedelta(seconds=60), description="The bound of every wait, unless the other side asks for more"
    )
    budget: Duration = Field(timedelta(minutes=10), description="From the beginning of the first attempt to that of the last")

    @model_validator(mode="after")
    def _bounds_agree(self) -> Self:
        if self.base_delay > self.max_delay:
            first, longest = format_duration(self.base_delay), format_duration(self.max_delay)
            raise Misworded(
                f"`base_delay`, {first}, is longer than `max_delay`, {longest}", "give a `max_delay` as long or longer"
            )
        return self

    @property
    def policy(self) -> RetryPolicy:
        """The same in numbers, with full jitter."""
        return RetryPolicy(
            attempts=self.attempts,
            base_delay=self.base_delay.total_seconds(),
            max_delay=self.max_delay.total_seconds(),
            budget_seconds=self.budget.total_seconds(),
        )
