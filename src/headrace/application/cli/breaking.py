"""`headrace breakers`: the circuit breakers before remote systems, to be seen and to be closed by hand. Not when they open."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from headrace.application.cli.console import duration, paint, say, say_json, table
from headrace.application.cli.system import System
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError


def list_breakers(system: System, project: Path, *, as_json: bool) -> None:
    found = system.site(project).breakers.all()
    if as_json:
        say_json([asdict(breaker) for breaker in found])
        return
    if not found:
        say("every circuit is closed: no remote system has failed")
        return
    styles = {"CLOSED": "green", "OPEN": "red", "HALF_OPEN": "yellow"}
    rows = [
        (b.system, b.state.lower().replace("_", " "), str(b.failures), duration(b.wait) if b.wait else "at once") for b in found
    ]
    head, *lines = table(("system", "circuit", "failures", "next call"), rows, right=(2,))
    say(head)
    for breaker, line in zip(found, lines, strict=True):
        say(paint(line, styles[breaker.state]))


def reset_breaker(system: System, project: Path, name: str) -> None:
    """Let calls through again at once."""
    breakers = system.site(project).breakers
    if not breakers.reset(name):
        raise UsageError(f"no circuit is known of `{name}`", hint=did_you_mean(name, [b.system for b in breakers.all()]))
    say(f"the circuit of {name} is closed: the next call is made")
