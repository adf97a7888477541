"""What must hold behind any fault: every accepted run ended once, by legal states; every row is in every target once, or held back once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.counted import Counted

from headrace.application.queries.quarantine import held_rows
from headrace.application.queries.runs import fold
from headrace.bus.store import Envelope
from headrace.business.model.run import AFTER, ENDED, may_follow

#: Behind these nothing of a run may be read, judged or staged again.
DURABLE = ("pipeline.resumed", "quality.checked", "data.stored")
REPEATED = ("pipeline.started", "data.ingested", "data.validated", "data.staged", "data.processed")


def prove(project: Counted, *, states: Sequence[str] = ("succeeded",)) -> None:
    """Everything at once, when all runs should have ended."""
    assert not project.queue.outstanding(), "nothing is left in the queue"
    assert project.store.verify().fault is None
    for run_id, stream in streams(project).items():
        prove_stream(run_id, stream, project.modes)
        assert fold(run_id, stream).state in states, (run_id, [e.type for e in stream], stream[-1].data)
    for name, rows in project.targets().items():
        assert rows == project.expected, (name, differences(rows, project.expected))
    assert sum(held.open_rows for held in held_rows(project.store)) == project.bad


def prove_stream(run_id: str, stream: Sequence[Envelope], sinks: Mapping[str, Any]) -> None:
    """One run's story: legal, ended once, balanced, and without a stage that was finished and done again."""
    state, kinds = "", [event.kind for event in stream]
    for kind in kinds:
        following = AFTER.get(kind, state)
        if following != state or kind in ENDED:
            assert may_follow(state, following) or (state, following) == ("cancelling", "running"), (
                run_id,
                state,
                following,
                kinds,
            )
        state = following
    assert state in ENDED, (run_id, kinds)
    assert sum(AFTER.get(kind) in ENDED for kind in kinds) == 1 + kinds.count("pipeline.reopened"), (run_id, kinds)
    durable = next((i for i, kind in enumerate(kinds) if kind in DURABLE), len(kinds))
    assert not [kind for kind in kinds[durable:] if kind in REPEATED], (run_id, "a finished stage was repeated", kinds)
    told = [e.data["sink"] for e in stream if e.kind == "data.stored"]
    assert len(told) == len(set(told)), (run_id, told)
    assert set(told) <= set(sinks), (run_id, told)
    for event in stream:
        if event.kind == "data.validated":
            data = event.data
            assert data["read"] == data["good"] + data["quarantined"] + data["dropped"] + data["filtered"], (run_id, data)


def prove_no_litter(project: Counted) -> None:
    """Behind a run that found nothing dead before it: no workspaces, nothing half-made beside targets."""
    assert workspaces(project) == []
    left = [
        p.name for p in project.out.iterdir() if "headrace-new" in p.name or "headrace-old" in p.name or p.suffix == ".part"
    ]
    assert left == []


def workspaces(project: Counted) -> list[str]:
    """The runs that have something lying ready."""
    return sorted(folder.name for folder in (project.folder / ".headrace" / "runs").glob("*"))


def streams(project: Counted) -> dict[str, list[Envelope]]:
    found: dict[str, list[Envelope]] = {}
    for event in project.store.read():
        found.setdefault(event.stream, []).append(event)
    return found


def differences(rows: Any, expected: Any) -> dict[str, Any]:
    return {"lost": list((expected - rows).items())[:5], "too many": list((rows - expected).items())[:5]}
