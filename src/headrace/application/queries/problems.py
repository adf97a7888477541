"""Problems as people follow them: opened by the run in which a check first fails, closed by the one in which it passes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headrace.bus.store import Envelope, EventStore


@dataclass(slots=True)
class Problem:
    """A check of a pipeline that did not pass, over all the runs in which it did not. `failures` are those runs; it is one problem."""

    pipeline: str
    check: str
    kind: str
    dataset: str
    on_fail: str
    opened_by: str
    opened_at: datetime
    outcome: str
    observed: str
    expected: str
    failures: int = 1
    last_at: datetime | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.closed_by is None


def problem_history(store: EventStore) -> list[Problem]:
    """Every problem, the latest first. An outcome that says nothing of the data (learning, skipped) neither opens nor closes one."""
    pipelines: dict[str, str] = {}
    current: dict[tuple[str, str], Problem] = {}
    found: list[Problem] = []
    for event in store.read(types=("pipeline.started/1", "quality.checked/1")):
        if event.type == "pipeline.started/1":
            pipelines[event.stream] = event.data["pipeline"]
            continue
        key = (pipelines.get(event.stream, ""), event.data["check"])
        problem = current.get(key)
        if event.data["outcome"] in ("fail", "error"):
            if problem is None:
                current[key] = _opened(key[0], event)
                found.append(current[key])
            else:
                _went_on(problem, event)
        elif event.data["outcome"] == "pass" and problem is not None:
            problem.closed_by, problem.closed_at = event.stream, event.at
            del current[key]
    return found[::-1]


def _opened(pipeline: str, event: Envelope) -> Problem:
    data = event.data
    return Problem(
        pipeline, data["check"], data["kind"], data["dataset"], data["on_fail"], event.stream, event.at,
        data["outcome"], data["observed"], data["expected"], last_at=event.at,
    )  # fmt: skip


def _went_on(problem: Problem, event: Envelope) -> None:
    """What is shown of a problem is how it stands now."""
    problem.failures += 1
    problem.last_at = event.at
    for name in ("outcome", "observed", "expected", "on_fail"):
        setattr(problem, name, event.data[name])
