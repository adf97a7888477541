"""What a definition says of a pipeline that does not end: its event time, and how its work is cut into checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from headrace.business.model.durations import Duration
from headrace.business.model.part import Model
from headrace.business.model.wording import Misworded


def _some(length: timedelta) -> timedelta:
    if not length:
        raise Misworded("this has to be longer than nothing", "write for example `1 second`")
    return length


Some = Annotated[Duration, AfterValidator(_some)]


class Watermark(Model):
    """Which column says when a row happened, and how much rows may come out of order.

    The watermark of a partition is the highest time among its good rows so far, less `delay`. It follows the data, never a clock. A
    window closes when the watermarks of all partitions have passed its end; a row is late when that of its own partition had.
    """

    column: str = Field(description="The column with the time of the event: a timestamp or a date, required by the contract")
    delay: Duration = Field(
        timedelta(), description="How far behind the highest time of their partition rows may come and still be in time"
    )
    idle: Some | None = Field(
        None,
        description="After how long without a message a partition stops holding windows open, until its next one; that it did is "
        "recorded, so that a replay does the same",
    )


def watermark_options(written: Any) -> Any:
    """A column's name alone is a watermark without delay."""
    return {"column": written} if isinstance(written, str) else written


class StreamOptions(Model):
    """How a stream is cut into micro-batches and checkpoints, and where its state is kept."""

    checkpoint: Some = Field(
        timedelta(seconds=1),
        description="How often positions, state and output are committed together; rows count from then on",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Over how many workers the partitions of its sources are shared out, at the most; one of them leads",
    )
    rows: int = Field(50_000, ge=1, description="How many messages are taken at once, at the most")
    wait: Duration = Field(
        timedelta(milliseconds=10), description="How long it is waited for messages before other work is done"
    )
    state: str | None = Field(
        None,
        description="The connection of the store that shares the state: of kind postgres or redis. In the state folder unless said",
    )
    refresh: Some | None = Field(None, description="How often reference data are read again; once, at the start, unless said")
    silence: Some | None = Field(
        None,
        description="After how long without a message from a source, by the clock, an event tells of it, and again when one comes; it "
        "changes nothing else",
    )
    epochs: int = Field(10, ge=1, description="How many checkpoints are kept, to go back to")


def stream_options(written: Any) -> Any:
    """A duration alone is that of the checkpoints."""
    return written if isinstance(written, Mapping | StreamOptions) else {"checkpoint": written}
