"""The source `rate`: generated messages, so many in a second, the same each time; for tests, demonstrations and measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import did_you_mean
from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.message_options import MessageOptions
from headrace.infrastructure.brokers.rate.feed import RateFeed, Supply
from headrace.infrastructure.brokers.rate.fields import COUNTER, FieldOption, Generator, Pace

_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
#: How far apart rows happened that come as fast as they are taken.
_UNPACED_PER_SECOND = 1000.0


class RateSource(MessageOptions):
    """Generated messages. What they hold depends on the options and the number of the row alone."""

    kind: ClassVar[str] = "rate"
    shorthand: ClassVar[str | None] = "per_second"

    per_second: Annotated[float, Field(gt=0)] | None = Field(
        None, description="How many rows there are in a second, over all partitions; without, as many as are taken"
    )
    total: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How many rows there are in all, over all partitions; behind them the source is at its end"
    )
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(1, description="Over how many partitions the rows are spread")
    seed: int = Field(0, description="Another one makes other values")
    fields: Mapping[str, FieldOption] = Field(
        default_factory=lambda: dict(COUNTER),
        description="What a row holds, by column: sequence (a number of its own), time (when it happened), {time: 5 seconds} (the same, at "
        "most this much earlier), {between: [0, 99]}, {one_of: [a, b]}, {key: 1000} (one of so many names), {text: 100} (letters)",
    )
    key: str | None = Field(None, description="The column that is the key of the message, too")
    begin: datetime = Field(
        _BEGIN, description="When the first row happened. The others follow at the rate, whenever they are read"
    )
    message_rows: Annotated[int, Field(ge=1)] = Field(
        1, description="How many rows a message holds, in formats that can hold several"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.fields:
            raise ValueError("give at least one column in `fields`")
        if self.key is not None and self.key not in self.fields:
            raise ValueError(f"there is no column `{self.key}` in `fields`; {did_you_mean(self.key, self.fields)}")
        if self.key is not None and self.message_rows > 1:
            raise ValueError("a message has one key and `message_rows` rows: leave one of them out")
        if self.begin.tzinfo is None:
            raise ValueError("say in which zone `begin` is meant: 2024-01-01T00:00:00Z")
        return self

    @property
    def replayable(self) -> bool:
        return True

    def durability(self) -> Sequence[str]:
        return ("Generated messages are the same each time: nothing is lost or doubled.",)

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:
        pace = Pace(self.begin, (self.per_second or _UNPACED_PER_SECOND) / self.partitions)
        generator = Generator(self.fields, self.seed, self.partitions, pace)
        written_as: Any = self.format
        supply = Supply(
            generator, written_as.writer(generator.schema, project), self.message_rows, self.per_second is not None, self.key,
            {partition: self._total(partition) for partition in range(self.partitions) if sharing.mine(partition)},
        )  # fmt: skip
        return RateFeed(supply, after, start or self.start)

    def _total(self, partition: int) -> int | None:
        if self.total is None:
            return None
        even, rest = divmod(self.total, self.partitions)
        return even + (partition < rest)
