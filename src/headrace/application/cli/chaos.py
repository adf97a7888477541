"""`headrace chaos`: shows what became of a pipeline whose processes were killed. Not who kills them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import paint, say, say_json, warn
from headrace.application.cli.system import System
from headrace.application.orchestrator.chaos import Trial, Wanted
from headrace.errors import RunError


def prove_file(system: System, file: Path, param: Sequence[str] | None, wanted: Wanted, *, as_json: bool) -> None:
    given = parameters(param)
    loaded = system.load(definition_file(file), given)

    def told(kills: int, trial: Trial) -> None:
        mark = paint("differs", "red") if trial.differences else paint("same", "green")
        warn(f"  {kills:>4}/{wanted.kills}  {mark}  killed at: {', '.join(trial.points)}")

    proof = system.chaos(loaded, given, wanted, told)
    failed = [trial for trial in proof.trials if trial.differences]
    if as_json:
        say_json({"same": proof.same, "kills": proof.kills, "seed": wanted.seed, "proof": proof})
    else:
        for trial in failed:
            say(f"{paint('killed at', 'bold')} {', '.join(trial.points)}")
            for difference in trial.differences:
                say(f"  {difference}")
        for name in proof.not_compared:
            say(f"sink `{name}` is outside of the project: what it holds was not compared")
        if not failed:
            say(f"{proof.kills} kills in {len(proof.trials)} runs: rows, balance and quarantine are the same as without any")
    if failed:
        raise RunError(
            f"{len(failed)} of {len(proof.trials)} runs under kills came out differently",
            hint="a step that gives other rows each time (a clock, a random number, a service) looks like a lost row",
        )
