"""`headrace connection`: where the connections of a project lead, and whether they get there. Secrets are never shown."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from headrace.application.cli.console import paint, printable, say, say_json, table
from headrace.application.cli.system import System
from headrace.business.connections import Answer
from headrace.errors import RetryableError, RunError


def list_connections(system: System, project: Path, *, as_json: bool) -> None:
    found = system.connections(project)
    lines = [(name, p.connection.kind, p.connection.shown()) for name, p in sorted(found.items())]
    if as_json:
        say_json([dict(zip(("name", "kind", "address"), line, strict=True)) for line in lines])
    elif not lines:
        say("no connection: write `[connections.NAME]` in headrace.toml")
    else:
        head, *rest = table(("connection", "kind", "leads to"), lines)
        say(paint(head, "dim"))
        for line in rest:
            say(printable(line))


def test_connection(system: System, project: Path, name: str, *, as_json: bool) -> None:
    profile = system.connection(project, name)
    about = {"name": name, "kind": profile.connection.kind, "address": profile.connection.shown()}
    try:
        answer = profile.connection.reach(profile.home)
    except RunError as error:
        if as_json:
            failed = {"error": error.message, "hint": error.hint, "may_pass": isinstance(error, RetryableError)}
            say_json({**about, "reached": False, **failed})
        raise
    if as_json:
        say_json({**about, "reached": True, **asdict(answer)})
    else:
        _print(about["address"], answer)


def _print(address: str, answer: Answer) -> None:
    if answer.tls is None:
        encryption = "none: what is sent can be read on the way"
    else:
        encryption = answer.tls + (", verified" if answer.verified else ", but whose server it is was not verified")
    lines = [
        ("leads to", address), ("server", answer.server), ("user", answer.user or "-"), ("TLS", encryption),
        ("round trip", f"{answer.round_trip_ms:.1f} ms"),
        *((right, "yes" if granted else "no") for right, granted in answer.rights.items()),
    ]  # fmt: skip
    width = max(len(head) for head, _ in lines)
    for head, text in lines:
        style = {"yes": "green", "no": "yellow"}.get(text)
        said = printable(text)
        say(f"{paint(head.ljust(width), 'dim')}  {paint(said, style) if style else said}")
    for note in answer.notes:
        say(printable(note))
