"""`headrace chaos`: shows what became of a pipeline whose processes were killed and whose connections were cut. Not who does that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import paint, say, say_json, warn
from headrace.application.cli.system import System
from headrace.application.orchestrator.chaos import Proof, Trial, Wanted
from headrace.errors import RunError

_WORDS = {"kill": "killed at", "cut": "connections cut at", "lose": "answers lost at"}


def prove_file(system: System, file: Path, param: Sequence[str] | None, wanted: Wanted, *, as_json: bool) -> None:
    given = parameters(param)
    loaded = system.load(definition_file(file), given)
    fallen = 0

    def told(trial: Trial) -> None:
        nonlocal fallen
        fallen += len(trial.blows)
        mark = paint("differs", "red") if trial.differences else paint("same", "green")
        warn(f"  {fallen:>5}  {mark}  {in_words(trial)}")

    proof = system.chaos(loaded, given, wanted, told)
    failed = [trial for trial in proof.trials if trial.differences]
    if as_json:
        say_json({"same": proof.same, "kills": proof.kills, "cuts": proof.cuts, "seed": wanted.seed, "proof": proof})
    else:
        _tell(proof, failed)
    if failed:
        raise RunError(
            f"{len(failed)} of {len(proof.trials)} disturbed runs came out differently",
            hint="a step that gives other rows each time (a clock, a random number, a service) looks like a lost row; and a definition "
            "with `retry: {attempts: 1}` takes no cut",
        )


def in_words(trial: Trial) -> str:
    """What a run took, and where."""
    points = {deed: [blow.point for blow in trial.blows if blow.deed == deed] for deed in _WORDS}
    return "; ".join(f"{_WORDS[deed]}: {', '.join(there)}" for deed, there in points.items() if there)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _tell(proof: Proof, failed: Sequence[Trial]) -> None:
    for trial in failed:
        say(paint(in_words(trial), "bold"))
        for difference in trial.differences:
            say(f"  {difference}")
    for name in proof.not_compared:
        say(f"sink `{name}` is outside of the project and cannot be read back: what it holds was not compared")
    for system in proof.reached:
        say(f"connections to {system} went through a relay that cuts them")
    for system, why in proof.not_cut.items():
        say(f"connections to {system} were not cut: {why}")
    if not proof.reached and not proof.not_cut:
        say("the pipeline reaches no remote system: there was no connection to cut")
    if not failed:
        blows = f"{_counted(proof.kills, 'kill')} and {_counted(proof.cuts, 'cut')} in {_counted(len(proof.trials), 'run')}"
        say(f"{blows}: rows, balance and quarantine are the same as undisturbed")
