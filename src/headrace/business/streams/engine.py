"""The port of an engine that works on a stream: what a run for ever asks of it. Not a word on SQL, and none on when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headrace.business.engine import RuleCount
from headrace.business.processing.plan import Plan
from headrace.business.streams.state import Saved
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class Arrived:
    """Rows of one partition as they came, in order."""

    source: str
    partition: str
    rows: pa.RecordBatch
    """With the columns of the source's scan, in order."""
    positions: pa.Array
    """Of each row, the position of its message."""
    watermark: int | None = None
    """Microseconds since 1970: the partition's own, before these rows. Rows below it, when they come, are late."""
    horizon: int | None = None
    """Microseconds since 1970: windows that end here or before are closed. Higher than the own watermark only where the partition
    was idle and the others went on."""


@record
class Judged:
    """What became of some rows: `read = good + quarantined + dropped`, and of the good ones `late` came too late for every window."""

    read: int
    good: int
    quarantined: int
    dropped: int
    late: int = 0
    rules: Sequence[RuleCount] = ()
    held: pa.Table | None = None
    """The rows that are held back, as the quarantine keeps them: `position`, `reasons`, `action`, `raw`."""
    highest: int | None = None
    """Microseconds since 1970: the highest time among the good rows."""


@record
class Fed:
    """What a step is given of some rows on one of its sides, as it takes them in."""

    step: str
    side: str
    rows: pa.Table
    late: pa.Table | None = None
    """Those of them that came too late for it, where there are any, as its side output gives them."""


@record
class Worked:
    """What was made of some rows without looking at any state: whoever keeps that takes it in."""

    judged: Judged
    published: Mapping[str, pa.Table]
    """Rows for sinks, by the name of the dataset."""
    fed: Sequence[Fed] = ()


@record
class Changes:
    """What changed in the state: parts of a `Saved`."""

    parts: Mapping[str, bytes]
    reach: int
    """How many epochs before this one have something of the state; none when the parts are the whole of it."""


class StreamSession(Protocol):
    """One stream on an engine, used by one thread. Several sessions of one plan may work, in any process; one of them takes in."""

    def work(self, arrived: Arrived) -> Worked:
        """Judge rows, and make of them what can be made of them alone. Changes nothing, but where the contract of the source has rules of
        how rows come (`arrivals`): these remember, so its rows are worked in order by the session that saves the state."""
        ...

    def take_in(self, worked: Worked) -> None:
        """Take in what a session of the same plan has made of rows: into the state, and into the output that waits."""
        ...

    def advance(self, horizon: int) -> None:
        """Close what ends here or before (microseconds since 1970)."""
        ...

    def unmeasured(self, dataset: str) -> Mapping[str, Any]:
        """What the measures of a check come to in a window without rows. Its windows are drained as this dataset."""
        ...

    def refresh(self) -> None:
        """Look up reference data anew from now on."""
        ...

    def drain(self) -> Mapping[str, pa.Table]:
        """The output since the last time, by the name of the dataset that a sink publishes. The side output of late rows of a step is
        under `<step>.late`, and the windows of a check that have closed are under `check <name>`."""
        ...

    def changes(self, *, whole: bool = False) -> Changes:
        """What changed in the state since the last time this was asked, and some of what is there besides, so that what has to be read
        to go on stays little; or the whole state."""
        ...

    def restore(self, saved: Sequence[Saved]) -> None:
        """Take up the state that these make, oldest first. Raises `NonRetryableError` when this plan cannot go on with it."""
        ...

    def state(self) -> Mapping[str, pa.Table]:
        """The state for people, by step."""
        ...

    def measures(self) -> Mapping[str, Any]:
        """Rows and bytes of the state, by step."""
        ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Streams(Protocol):
    """An engine that works on streams."""

    def stream(self, plan: Plan, workspace: Path, project: Path) -> StreamSession: ...
