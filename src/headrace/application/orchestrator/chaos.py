"""Proves a pipeline against deaths and cut connections: it is run once plainly and then again and again while its processes are killed and
its connections cut, each time on a fresh copy, and what came out is compared. Not how that is done, nor how targets are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

from headrace.application.queries.runs import RunView
from headrace.business.model.definition import Definition, SinkDefinition
from headrace.business.movable import Movable
from headrace.business.ports import Readable
from headrace.errors import RunError, UsageError
from headrace.records import record

#: A process is killed; all its connections are cut; or what it asks next arrives, and the answer is lost with the connection.
Deed = Literal["kill", "cut", "lose"]
#: How many cuts are made where somebody does not say, and there is something to cut.
CUTS = 20
#: How often in a row no blow may fall: a run may take another course now and then, as when a lease is renewed meanwhile.
_MOST_MISSES = 5


@record
class Blow:
    """What is done when a process comes to a point for the first time."""

    point: str
    deed: Deed


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
    """A run on a copy: the blows that it took, what came out, and what of that is not as it was plainly."""

    blows: Sequence[Blow]
    outcome: Outcome
    differences: Sequence[str] = ()


@record
class Proof:
    """What became of all trials."""

    pipeline: str
    plain: Outcome
    trials: Sequence[Trial]
    not_compared: Sequence[str]
    """Sinks outside of the project that do not say what they hold."""
    reached: Sequence[str] = ()
    """The remote systems whose connections were cut."""
    not_cut: Mapping[str, str] = field(default_factory=dict)
    """The remote systems whose connections were not, and why."""

    @property
    def kills(self) -> int:
        return sum(blow.deed == "kill" for trial in self.trials for blow in trial.blows)

    @property
    def cuts(self) -> int:
        return sum(blow.deed != "kill" for trial in self.trials for blow in trial.blows)

    @property
    def same(self) -> bool:
        return not any(trial.differences for trial in self.trials)


@record
class Trace:
    """A run in the arena: how it is seen, the digests of its targets, and the points at which its blows fell; without any, all points
    that its processes came to, and those behind which connections were still used."""

    run: RunView
    targets: Mapping[str, str]
    points: Sequence[str]
    connected: Sequence[str] = ()


class Arena(Protocol):
    """Where trials take place."""

    reached: Sequence[str]
    """The remote systems whose connections can be cut."""
    not_cut: Mapping[str, str]

    def run(self, blows: Sequence[Blow], *, anew: bool) -> Trace:
        """Run the pipeline on a fresh copy under these blows. `anew` reads everything and rebuilds the targets."""
        ...


@record
class Wanted:
    """How often, and with which luck. Without a number, connections are cut where there are any."""

    kills: int
    seed: int
    cuts: int | None = None
    allow_remote: bool = False


def prove(
    definition: Definition,
    project: Path,
    arena: Arena,
    wanted: Wanted,
    told: Callable[[Trial], None] = lambda _trial: None,
) -> Proof:
    """Run plainly once, then until so many blows have fallen. Raises `UsageError` for sinks outside of the project, unless they are
    allowed, and `RunError` when the plain run fails already."""
    outside = outside_sinks(definition, project)
    _refuse_harm(outside, wanted)
    left = Counter[str](kill=wanted.kills, cut=_cuts(arena, wanted))
    if not left.total():
        raise UsageError("nothing is to be killed and nothing to be cut", hint="give `--kills` or `--cuts` a number above 0")
    anew = any(not isinstance(sink.plugin, Movable) for sink in outside)  # what it publishes there is there the next time
    plain = arena.run((), anew=anew)
    if plain.run.unchanged and not anew:
        anew, plain = True, arena.run((), anew=True)
    if plain.run.state != "succeeded":
        why = plain.run.error["message"] if plain.run.error else plain.run.state
        raise RunError(f"the pipeline does not succeed without any kill: {why}", hint="mend it first: `headrace run`")
    if left["cut"] and not plain.connected:
        raise RunError("no connection to a remote system was used, so none can be cut", hint="`--cuts 0` only kills")
    outcome = _outcome(plain)
    random, trials = Random(wanted.seed), list[Trial]()  # noqa: S311 - chooses where to strike
    misses = 0
    while left.total():
        blows = _chosen(random, plain, left, most_cuts=max(1, definition.retry.attempts - 1))
        trace = arena.run(blows, anew=anew)
        fallen = [blow for blow in blows if blow.point in trace.points]
        misses = 0 if fallen else misses + 1
        if misses == _MOST_MISSES:
            points = ", ".join(blow.point for blow in blows)
            raise RunError(f"no process came to any of the points {points}", hint="this is a mistake in Headrace")
        if not fallen:
            continue
        left -= Counter("kill" if blow.deed == "kill" else "cut" for blow in fallen)
        found = _outcome(trace)
        trials.append(Trial(fallen, found, list(differences(outcome, found))))
        told(trials[-1])
    silent = [sink.name for sink in outside if not isinstance(sink.plugin, Readable)]
    return Proof(definition.pipeline, outcome, trials, silent, arena.reached, arena.not_cut)


def outside_sinks(definition: Definition, project: Path) -> list[SinkDefinition]:
    """The sinks whose target is no path within the project: databases, stores, folders elsewhere."""
    return [sink for sink in definition.sinks if within(sink.plugin, project) is None]


def within(plugin: Any, project: Path) -> Path | None:
    """The path of a target within a project; None where it is elsewhere."""
    written, root = getattr(plugin, "path", None), project.resolve()
    if not isinstance(written, str) or "://" in written or getattr(plugin, "connection", None) is not None:
        return None
    path = (root / written).resolve()
    return path if path.is_relative_to(root) else None


def differences(plain: Outcome, other: Outcome) -> list[str]:
    """What is not the same, in words."""
    found = [] if plain.state == other.state else [f"the run {other.state}, and {plain.state} undisturbed"]
    for what in ("balance", "held", "targets"):
        before, after = getattr(plain, what), getattr(other, what)
        found += [
            f"{_WORDS[what]} {name}: {after.get(name)}, and {before.get(name)} undisturbed"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return found


_WORDS = {"balance": "rows of", "held": "held back of", "targets": "target"}


def _refuse_harm(outside: Sequence[SinkDefinition], wanted: Wanted) -> None:
    if outside and not wanted.allow_remote:
        raise UsageError(
            f"the pipeline publishes outside of its project: {', '.join(sink.name for sink in outside)}",
            hint="`--allow-remote` tries it there: databases get a place of the copy's own, which is removed again, and whatever has no "
            "such place is published to",
        )
    growing = [
        sink.name for sink in outside if not isinstance(sink.plugin, Movable) and getattr(sink.plugin, "mode", "") == "append"
    ]
    if growing:
        raise UsageError(
            f"each of the runs would add to what is there: {', '.join(growing)}",
            hint="let a copy of the definition publish to a place within the project, or to a table",
        )


def _cuts(arena: Arena, wanted: Wanted) -> int:
    if wanted.cuts and not arena.reached:
        why = "; ".join(f"{system}: {reason}" for system, reason in arena.not_cut.items())
        raise UsageError(f"there is no connection that could be cut: {why or 'the pipeline reaches no remote system'}")
    return (CUTS if arena.reached else 0) if wanted.cuts is None else wanted.cuts


def _chosen(random: Random, plain: Trace, left: Mapping[str, int], most_cuts: int) -> list[Blow]:
    """One to three blows at different points. More cuts than a definition has attempts would rightly end its run."""
    kinds = ["kill"] * min(3, left["kill"]) + ["cut"] * min(3, most_cuts, left["cut"])
    blows: dict[str, Blow] = {}
    for kind in random.sample(kinds, random.randint(1, min(3, len(kinds)))):
        point = random.choice(plain.points if kind == "kill" else plain.connected)
        deed: Deed = "kill" if kind == "kill" else random.choice(("cut", "lose"))
        blows.setdefault(point.partition("@")[0], Blow(point, deed))
    return list(blows.values())


def _outcome(trace: Trace) -> Outcome:
    run = trace.run
    counts = ("read", "good", "quarantined", "dropped", "filtered")
    balance: dict[str, Any] = {name: {c: source.get(c) for c in counts} for name, source in run.sources.items()}
    balance |= {name: {"rows": step.get("rows"), "filtered": step.get("filtered")} for name, step in run.steps.items()}
    held = {
        name: {rule["rule"]: rule["rows"] for rule in source.get("rules", ()) if rule["rows"]}
        for name, source in run.sources.items()
    }
    return Outcome(run.state, balance, held, trace.targets)
