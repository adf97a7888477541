"""Proves a pipeline against deaths: it is run once plainly and then again and again while its processes are killed, each time on a
fresh copy, and what came out is compared. Not how copies are made, processes killed and targets read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

from headrace.application.orchestrator.failpoints import OF_PUBLICATIONS, OF_RUNS, OF_WORKERS
from headrace.application.queries.runs import RunView
from headrace.business.model.definition import Definition
from headrace.errors import RunError, UsageError
from headrace.records import record

#: Points that are told of by events of these kinds only where there is something to tell.
_TOLD = ("data.processed", "quality.checked")


@record
class Outcome:
    """What came out of a run: its state, the rows on its way, what was held back and why, and what each target holds."""

    state: str
    balance: Mapping[str, Any]
    held: Mapping[str, Any]
    targets: Mapping[str, str]
    """By sink, a digest of the rows as a multiset, with their number."""


@record
class Trial:
    """A run on a copy: the points at which it was to be killed and was, what came out, and what of that is not as it was plainly."""

    points: Sequence[str]
    outcome: Outcome
    differences: Sequence[str] = ()


@record
class Proof:
    """What became of all trials."""

    pipeline: str
    plain: Outcome
    trials: Sequence[Trial]
    not_compared: Sequence[str]
    """Sinks outside of the project, which no copy has."""

    @property
    def kills(self) -> int:
        return sum(len(trial.points) for trial in self.trials)

    @property
    def same(self) -> bool:
        return not any(trial.differences for trial in self.trials)


class Arena(Protocol):
    """Where trials take place."""

    def run(self, points: Sequence[str], *, anew: bool) -> tuple[RunView, Mapping[str, str], Sequence[str]]:
        """Run the pipeline on a fresh copy while its processes are killed at these points, each once: the run, the digests of
        its targets, and the points that it came to. `anew` reads everything and rebuilds the targets."""
        ...


@record
class Wanted:
    """How often, and with which luck."""

    kills: int
    seed: int
    allow_remote: bool = False


def prove(
    definition: Definition,
    project: Path,
    arena: Arena,
    wanted: Wanted,
    told: Callable[[int, Trial], None] = lambda _n, _t: None,
) -> Proof:
    """Run plainly once, then until so many kills were made. Raises `UsageError` for sinks outside of the project, unless they are
    allowed, and `RunError` when the plain run fails already."""
    outside = outside_sinks(definition, project)
    if outside and not wanted.allow_remote:
        raise UsageError(
            f"the pipeline publishes outside of its project: {', '.join(outside)}",
            hint="chaos would publish there, again and again; if that may be (a test database), say `--allow-remote`",
        )
    run, targets, _ = arena.run((), anew=False)
    anew = run.unchanged
    if anew:
        run, targets, _ = arena.run((), anew=True)
    if run.state != "succeeded":
        why = run.error["message"] if run.error else run.state
        raise RunError(f"the pipeline does not succeed without any kill: {why}", hint="mend it first: `headrace run`")
    plain = _outcome(run, targets)
    random, trials, points = Random(wanted.seed), list[Trial](), reachable(run)  # noqa: S311 - chooses where to kill
    made = 0
    while made < wanted.kills:
        chosen = random.sample(points, min(random.randint(1, 3), wanted.kills - made))
        run, targets, passed = arena.run(chosen, anew=anew)
        if not passed:
            raise RunError(f"no process came to any of the points {', '.join(chosen)}", hint="this is a mistake in Headrace")
        outcome = _outcome(run, targets)
        trials.append(Trial(passed, outcome, list(differences(plain, outcome))))
        made += len(passed)
        told(made, trials[-1])
    return Proof(definition.pipeline, plain, trials, outside)


def outside_sinks(definition: Definition, project: Path) -> list[str]:
    """The sinks whose target is no path within the project."""
    root = project.resolve()

    def within(path: Any) -> bool:
        return isinstance(path, str) and (root / path).resolve().is_relative_to(root)

    return [sink.name for sink in definition.sinks if not within(getattr(sink.plugin, "path", None))]


def reachable(run: RunView) -> list[str]:
    """The points that a run like this one comes to."""
    told = {"data.processed": bool(run.steps), "quality.checked": bool(run.checks)}
    of_sinks = [point.format(sink) for sink in run.sinks for point in OF_PUBLICATIONS]
    return [*(p for p in OF_RUNS if p not in _TOLD or told[p]), *of_sinks, *OF_WORKERS]


def differences(plain: Outcome, other: Outcome) -> list[str]:
    """What is not the same, in words."""
    found = [] if plain.state == other.state else [f"the run {other.state}, and {plain.state} without kills"]
    for what in ("balance", "held", "targets"):
        before, after = getattr(plain, what), getattr(other, what)
        found += [
            f"{_WORDS[what]} {name}: {after.get(name)}, and {before.get(name)} without kills"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return found


_WORDS = {"balance": "rows of", "held": "held back of", "targets": "target"}


def _outcome(run: RunView, targets: Mapping[str, str]) -> Outcome:
    counts = ("read", "good", "quarantined", "dropped", "filtered")
    balance: dict[str, Any] = {name: {c: source.get(c) for c in counts} for name, source in run.sources.items()}
    balance |= {name: {"rows": step.get("rows"), "filtered": step.get("filtered")} for name, step in run.steps.items()}
    held = {
        name: {rule["rule"]: rule["rows"] for rule in source.get("rules", ()) if rule["rows"]}
        for name, source in run.sources.items()
    }
    return Outcome(run.state, balance, held, targets)
