"""What events make of the read side: pure functions from rows and events to rows. Not where the rows are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from headrace.application.queries.records import ReplayNote
from headrace.application.queries.runs import RunView, apply
from headrace.bus.store import Envelope
from headrace.records import record

_TIMES = ("queued_at", "started_at", "ended_at")
_NOTES = {"quarantine.replay_intended": "intended", "quarantine.replayed": "replayed"}


@dataclass(slots=True)
class RunRow:
    """A run, and the position of its first event, which is its place among all runs."""

    view: RunView
    began: int


@record
class StepRow:
    """The balance of a part of a run: `rows_in + added = rows_out + filtered + quarantined + dropped`, where all are known."""

    part: str
    name: str
    kind: str
    rows_in: int | None
    rows_out: int | None
    filtered: int = 0
    quarantined: int = 0
    dropped: int = 0
    added: int = 0
    seconds: float | None = None


@record
class QualityRow:
    """The outcome of a check in a run."""

    position: int
    run_id: str
    pipeline: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(slots=True)
class Changes:
    """What some events change."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    quality: list[QualityRow] = field(default_factory=list)
    replays: list[tuple[int, ReplayNote]] = field(default_factory=list)


def changes(known: Mapping[str, RunRow], events: Sequence[Envelope]) -> Changes:
    """Let events change the runs that are known. One that a run has heard of already changes nothing, so replaying is harmless."""
    found = Changes()
    for event in events:
        row = found.runs.get(event.stream) or known.get(event.stream) or RunRow(RunView(event.stream), event.position)
        if event.number <= row.view.events:
            continue
        apply(row.view, event)
        found.runs[event.stream] = row
        if event.kind == "quality.checked":
            found.quality.append(QualityRow(event.position, event.stream, row.view.pipeline, event.at, event.data))
        elif event.kind in _NOTES:
            found.replays.append((event.position, replay_note(event.stream, _NOTES[event.kind], event.data)))
    return found


def replay_note(run_id: str, kind: str, data: Mapping[str, Any]) -> ReplayNote:
    return ReplayNote(run_id, kind, data["from_run"], data["dataset"], data["rows"], data.get("checkpoints") or {})


def steps_of(run: RunView) -> Iterator[StepRow]:
    """The parts of a run with their rows, as far as the run has come."""
    for name, source in run.sources.items():
        yield StepRow(
            "source",
            name,
            source.get("origin", ""),
            source.get("read"),
            source.get("good"),
            source.get("filtered", 0),
            source.get("quarantined", 0),
            source.get("dropped", 0),
            seconds=source.get("seconds"),
        )
    for name, step in run.steps.items():
        rows_in = sum(step["inputs"].values())
        yield StepRow("step", name, step["kind"], rows_in, step["rows"], step.get("filtered", 0), added=step.get("added", 0))
    for name, sink in run.sinks.items():
        yield StepRow("sink", name, sink["kind"], sink["rows"], sink["rows"], seconds=sink.get("seconds"))


def to_plain(run: RunView) -> dict[str, Any]:
    """A run as JSON can hold it."""
    return asdict(run) | {name: at.isoformat() for name in _TIMES if (at := getattr(run, name)) is not None}


def from_plain(plain: Mapping[str, Any]) -> RunView:
    """The run again. What an older version did not know keeps its default, what a newer one knew is left out."""
    known = {f.name for f in fields(RunView)}
    times = {name: datetime.fromisoformat(plain[name]) for name in _TIMES if plain.get(name)}
    return RunView(**{name: value for name, value in plain.items() if name in known} | times)
