"""What can happen in a run, as past-tense facts. Rows never travel in events: only counts, names, places and durations.

Each class has a written name and version under which it is stored (`pipeline.started/1`), so that classes may be renamed freely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Any, ClassVar

from headrace.records import record


@record
class Event:
    """A fact about a run. `pipeline_id` is the run's id, and with it the stream that the event belongs to."""

    written: ClassVar[str]
    pipeline_id: str

    def data(self) -> dict[str, Any]:
        """What is stored: all but the stream, which is known by where it is stored."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pipeline_id"}


@record
class PipelineStartedEvent(Event):
    """A run began, by this version (fingerprint) of the pipeline, with these parameters (never secrets).

    `pipeline_config` is what a caller of the orchestrator handed in as plain data; runs of a file name it in `definition`.
    """

    written: ClassVar[str] = "pipeline.started/1"
    pipeline_config: Mapping[str, Any] = field(default_factory=dict)
    pipeline: str = field(default="", kw_only=True)
    fingerprint: str = field(default="", kw_only=True)
    params: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    definition: str | None = field(default=None, kw_only=True)
    graph: Sequence[Mapping[str, Any]] = field(default=(), kw_only=True)
    trigger: str = field(default="command", kw_only=True)


@record
class DataIngestedEvent(Event):
    """A source was read to its end: records seen, bytes, files, and how long it took."""

    written: ClassVar[str] = "data.ingested/1"
    dataset: str
    origin: str
    read: int
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0


@record
class DataValidatedEvent(Event):
    """Every row of a dataset has its verdict. `read = good + quarantined + dropped + filtered`; `rules` counts violations by rule."""

    written: ClassVar[str] = "data.validated/1"
    dataset: str
    read: int
    good: int
    quarantined: int
    dropped: int = 0
    filtered: int = 0
    rules: Sequence[Mapping[str, Any]] = ()
    examples: Sequence[Mapping[str, Any]] = ()
    quarantine: str | None = None
    seconds: float = 0.0


@record
class DataProcessedEvent(Event):
    """A step was carried out: rows that came in, by input, and went out."""

    written: ClassVar[str] = "data.processed/1"
    step: str
    kind: str
    inputs: Mapping[str, int]
    rows: int
    filtered: int = 0
    added: int = 0


@record
class DataStagedEvent(Event):
    """A result lies ready, unpublished."""

    written: ClassVar[str] = "data.staged/1"
    dataset: str
    rows: int
    bytes: int
    files: Sequence[str]
    schema: Sequence[Sequence[str]] = ()
    seconds: float = 0.0


@record
class QualityCheckEvent(Event):
    """A check of the audit has its outcome: pass, fail, error, learning or skipped."""

    written: ClassVar[str] = "quality.checked/1"
    check: str
    kind: str
    dataset: str
    outcome: str
    on_fail: str
    observed: str
    expected: str
    version: str
    values: Mapping[str, Any] = field(default_factory=dict)


@record
class DataStoredEvent(Event):
    """A result was published to a sink."""

    written: ClassVar[str] = "data.stored/1"
    sink: str
    kind: str
    dataset: str
    target: str
    checkpoint: str
    rows: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    already: bool = False
    files: int = 0
    seconds: float = 0.0


@record
class QuarantineReplayIntendedEvent(Event):
    """Rows are about to be published again from quarantine, under these checkpoints; recorded first, so that a crash cannot double them."""

    written: ClassVar[str] = "quarantine.replay_intended/1"
    from_run: str
    dataset: str
    rows: Sequence[str]
    checkpoints: Mapping[str, str]


@record
class QuarantineReplayedEvent(Event):
    """Rows left quarantine: published by this run."""

    written: ClassVar[str] = "quarantine.replayed/1"
    from_run: str
    dataset: str
    rows: Sequence[str]


@record
class PipelineCompletedEvent(Event):
    """A run succeeded. `unchanged` says that all of it had been published before and nothing was done. `result` is plain data."""

    written: ClassVar[str] = "pipeline.completed/1"
    result: Any = None
    pipeline: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    unchanged: bool = field(default=False, kw_only=True)


@record
class PipelineFailedEvent(Event):
    """A run failed: what went wrong, the kind of error, and what to do. No target was left half written."""

    written: ClassVar[str] = "pipeline.failed/1"
    message: str
    pipeline: str = field(default="", kw_only=True)
    error: str = field(default="Error", kw_only=True)
    hint: str | None = field(default=None, kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)


@record
class PipelineCancelledEvent(Event):
    """A run was interrupted or cancelled; what it had not published yet, the next does again."""

    written: ClassVar[str] = "pipeline.cancelled/1"
    pipeline: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    why: str = field(default="", kw_only=True)
