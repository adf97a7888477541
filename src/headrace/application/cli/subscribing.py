"""`headrace subscriptions` and `events replay`: who hears of events, how far, and what could not be taken. Nothing is delivered."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from headrace.application.cli.console import number, say, say_json, table
from headrace.application.cli.system import System


def list_subscriptions(system: System, project: Path, *, as_json: bool) -> None:
    found = system.subscriptions(project).standing()
    if as_json:
        say_json([asdict(s) for s in found])
        return
    if not found:
        say("no subscriptions yet; `headrace serve` begins those that the settings name")
        return
    rows = [(s.name, number(s.position), number(s.behind), number(s.dead_letters), s.error or s.owner) for s in found]
    for line in table(("subscription", "position", "behind", "dead letters", "error, or who delivers"), rows, right=(1, 2, 3)):
        say(line)


def list_dead_letters(system: System, project: Path, name: str | None, *, as_json: bool) -> None:
    found = system.subscriptions(project).dead_letters(name)
    if as_json:
        say_json([asdict(letter) for letter in found])
        return
    if not found:
        say("no dead letters")
        return
    rows = [(d.subscription, number(d.position), d.stream, d.at[:19], d.error) for d in found]
    for line in table(("subscription", "position", "run", "since (UTC)", "error"), rows, right=(1,)):
        say(line)


def retry_dead_letters(system: System, project: Path, name: str, position: int | None) -> None:
    count = system.subscriptions(project).retry(name, position)
    say(f"{number(count)} dead letters of `{name}` are tried again by whoever serves")


def drop_dead_letters(system: System, project: Path, name: str, position: int | None) -> None:
    count = system.subscriptions(project).drop(name, position)
    say(f"{number(count)} dead letters of `{name}` are given up")


def replay_events(system: System, project: Path, name: str, after: int) -> None:
    """Have a subscription hear of events again; the read side is built anew from them."""
    system.replay_subscription(project, name, after)
    say(f"`{name}` hears again of all behind position {number(after)}, from whoever serves")
