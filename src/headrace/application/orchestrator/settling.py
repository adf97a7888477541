"""Finishes the books of runs whose process died behind their last publication. The targets are asked; nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from headrace.application.queries.records import Records, ReplayNote
from headrace.application.queries.runs import PROCESS_DIED, RunView, find_run, fold
from headrace.bus.bus import EventBus
from headrace.bus.events import PipelineCompletedEvent, PipelineFailedEvent, QuarantineReplayedEvent
from headrace.business.ports import Checkpoint
from headrace.business.processing.plan import PlannedSink
from headrace.errors import UsageError


def settle_runs(bus: EventBus, pipeline: str, ledgers: Mapping[str, Sequence[Checkpoint]]) -> None:
    """Say of runs that have reached every sink that they succeeded, so that the rows they held back are known to be held.

    It is asked before every run, so only the runs whose process died are looked at.
    """
    published = {(name, c.run_id) for name, found in ledgers.items() for c in found}
    failed = bus.store.read(types=(PipelineFailedEvent.written,))
    for run_id in dict.fromkeys(e.stream for e in failed if e.data["error"] == PROCESS_DIED and e.data["pipeline"] == pipeline):
        run = fold(run_id, bus.store.read(run_id))
        sinks = [node["name"] for node in run.graph if node["part"] == "sink"]
        if _unfinished(run) and sinks and all(name in run.sinks or (name, run.id) in published for name in sinks):
            bus.record(PipelineCompletedEvent(run.id, pipeline=pipeline))


def settle_replays(bus: EventBus, records: Records, sinks: Sequence[PlannedSink], project: Path) -> None:
    """Say of replays that have reached every sink that their rows left quarantine."""
    present = _present(sinks, project)
    for note in _untold(records):
        names = note.checkpoints
        if names and all(name in present.get(sink, ()) for sink, name in names.items()):
            run = find_run(records, note.run_id)
            if _unfinished(run):
                bus.record(PipelineCompletedEvent(note.run_id, pipeline=run.pipeline))
            bus.record(QuarantineReplayedEvent(note.run_id, note.from_run, note.dataset, note.rows))


def refuse_other_rows(
    records: Records, sinks: Sequence[PlannedSink], project: Path, replayed: tuple[str, str], rows: set[str], names: set[str]
) -> None:
    """Raises `UsageError` when some of these rows were added to some sinks by a replay that died, and this is not the same replay."""
    present = _present([s for s in sinks if getattr(s.publisher, "mode", "replace") == "append"], project)
    for note in _untold(records):
        added = {name for sink, name in note.checkpoints.items() if name in present.get(sink, ())}
        if (note.from_run, note.dataset) == replayed and rows & set(note.rows) and added - names:
            raise UsageError(
                f"a replay of {len(note.rows)} of these rows is half published, and other rows would be added twice",
                hint="repeat that replay first, with the same rows as they were then",
            )


def _unfinished(run: RunView) -> bool:
    """Whether nothing is known of a run's end but that its process died."""
    return run.state == "failed" and run.error is not None and run.error["error"] == PROCESS_DIED


def _present(sinks: Sequence[PlannedSink], project: Path) -> dict[str, set[str]]:
    return {s.name: {c.name or c.was for c in s.publisher.ledger(project)} for s in sinks}


def _untold(records: Records) -> list[ReplayNote]:
    """The replays that were begun and of whose end nothing is known."""
    notes = records.views.replays()
    told = {_key(note) for note in notes if note.kind == "replayed"}
    return [note for note in notes if note.kind == "intended" and _key(note) not in told]


def _key(note: ReplayNote) -> tuple[str, str, tuple[str, ...]]:
    return note.from_run, note.dataset, tuple(note.rows)
