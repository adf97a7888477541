"""`headrace test`: runs the tests that stand in a definition and says which passed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import paint, say, say_json
from headrace.application.cli.system import System
from headrace.errors import RunError, UsageError


def rehearse_file(system: System, file: Path, param: Sequence[str] | None, *, as_json: bool) -> None:
    loaded = system.load(definition_file(file), parameters(param))
    if not loaded.definition.tests:
        raise UsageError(f"{file} has no `tests:`", hint="add one: a name, rows that go in, and what is expected of them")
    outcomes = list(system.test(loaded))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        say_json({"passed": len(outcomes) - len(failed), "failed": len(failed), "tests": outcomes})
    else:
        for outcome in outcomes:
            mark = paint("pass", "green") if outcome.passed else paint("fail", "red")
            say(f"  {mark}  {outcome.name}")
            for difference in outcome.differences:
                say(f"        {difference}")
        say(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise RunError(f"{len(failed)} of {len(outcomes)} tests failed: {', '.join(o.name for o in failed)}")
