"""Finishes the books of runs whose process died behind their last publication. The targets are asked; nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from headrace.application.queries.runs import PROCESS_DIED, RunView, all_runs, find_run
from headrace.bus.bus import EventBus
from headrace.bus.events import PipelineCompletedEvent, QuarantineReplayedEvent
from headrace.bus.store import Envelope, EventStore
from headrace.business.ports import Checkpoint
from headrace.business.processing.plan import PlannedSink
from headrace.errors import UsageError


def settle_runs(bus: EventBus, pipeline: str, ledgers: Mapping[str, Sequence[Checkpoint]]) -> None:
    """Say of runs that have reached every sink that they succeeded, so that the rows they held back are known to be held."""
    published = {(name, c.run_id) for name, found in ledgers.items() for c in found}
    for run in all_runs(bus.store):
        sinks = [node["name"] for node in run.graph if node["part"] == "sink"]
        if (
            _unfinished(run)
            and run.pipeline == pipeline
            and sinks
            and all(name in run.sinks or (name, run.id) in published for name in sinks)
        ):
            bus.record(PipelineCompletedEvent(run.id, pipeline=pipeline))


def settle_replays(bus: EventBus, sinks: Sequence[PlannedSink], project: Path) -> None:
    """Say of replays that have reached every sink that their rows left quarantine."""
    present = _present(sinks, project)
    for event in _untold(bus.store):
        names = event.data["checkpoints"]
        if names and all(name in present.get(sink, ()) for sink, name in names.items()):
            run = find_run(bus.store, event.stream)
            if _unfinished(run):
                bus.record(PipelineCompletedEvent(event.stream, pipeline=run.pipeline))
            data = event.data
            bus.record(QuarantineReplayedEvent(event.stream, data["from_run"], data["dataset"], data["rows"]))


def refuse_other_rows(
    store: EventStore, sinks: Sequence[PlannedSink], project: Path, replayed: tuple[str, str], rows: set[str], names: set[str]
) -> None:
    """Raises `UsageError` when some of these rows were added to some sinks by a replay that died, and this is not the same replay."""
    present = _present([s for s in sinks if getattr(s.publisher, "mode", "replace") == "append"], project)
    for event in _untold(store):
        data = event.data
        added = {name for sink, name in data["checkpoints"].items() if name in present.get(sink, ())}
        if (data["from_run"], data["dataset"]) == replayed and rows & set(data["rows"]) and added - names:
            raise UsageError(
                f"a replay of {len(data['rows'])} of these rows is half published, and other rows would be added twice",
                hint="repeat that replay first, with the same rows as they were then",
            )


def _unfinished(run: RunView) -> bool:
    """Whether nothing is known of a run's end but that its process died."""
    return run.state == "failed" and run.error is not None and run.error["error"] == PROCESS_DIED


def _present(sinks: Sequence[PlannedSink], project: Path) -> dict[str, set[str]]:
    return {s.name: {c.name for c in s.publisher.ledger(project)} for s in sinks}


def _untold(store: EventStore) -> list[Envelope]:
    """The replays that were begun and of whose end nothing is known."""
    told = {_key(e) for e in store.read(types=("quarantine.replayed/1",))}
    return [e for e in store.read(types=("quarantine.replay_intended/1",)) if _key(e) not in told]


def _key(event: Envelope) -> tuple[str, str, tuple[str, ...]]:
    return event.data["from_run"], event.data["dataset"], tuple(event.data["rows"])
