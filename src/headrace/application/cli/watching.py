"""`headrace runs watch` and `headrace events`: what happens, as it happens, whoever does it. Nothing is run or changed."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from headrace.application.cli.console import paint, say, say_json, say_now, warn
from headrace.application.cli.event_lines import as_data, in_words
from headrace.application.cli.system import System
from headrace.application.queries.runs import RunView, apply, find_run
from headrace.bus.store import Envelope, EventStore
from headrace.business.model.run import ENDED
from headrace.errors import RunError, UsageError

#: How often to look for new events, in seconds, and how many looks lie between two looks for dead processes.
LOOK_EVERY, LOOKS = 0.2, 10


def watch_run(system: System, project: Path, run_id: str, *, as_json: bool) -> None:
    """Follow a run until it has ended. Raises `RunError` unless it succeeded."""
    store = system.event_store(project)
    run = RunView(find_run(store, run_id).id)
    try:
        for event in _until_ended(system, project, store, run):
            say_now(json.dumps(as_data(event)) if as_json else f"{event.at:%H:%M:%S}  {in_words(event)}")
    except KeyboardInterrupt:
        raise RunError(f"no longer watching: run {run.id} goes on", hint=f"`headrace runs cancel {run.id}` stops it") from None
    if run.state != "succeeded":
        raise RunError(f"run {run.id} {'failed' if run.state == 'failed' else 'was cancelled'}", hint=_how_to_go_on(run))


def _how_to_go_on(run: RunView) -> str:
    return f"`headrace runs show {run.id}` says how far it came, `headrace runs resume {run.id}` goes on with it"


def _until_ended(system: System, project: Path, store: EventStore, run: RunView) -> Iterator[Envelope]:
    position = 0
    for looks in _looks():
        for event in store.read(run.id, after=position):
            position = event.position
            apply(run, event)
            yield event
        if run.state in ENDED:
            return
        if looks % LOOKS == 0:
            system.bury_the_dead(project)


def _looks() -> Iterator[int]:
    looks = 0
    while True:
        yield looks
        looks += 1
        time.sleep(LOOK_EVERY)


def tail_events(
    system: System, project: Path, run_id: str | None, types: Sequence[str], limit: int, *, follow: bool, as_json: bool
) -> None:
    """The newest events, and with `follow` those to come."""
    store = system.event_store(project)
    stream = find_run(store, run_id).id if run_id else None
    found = (event for event in store.read(stream) if _is_of(event, types))
    shown, position = deque(found, maxlen=limit), store.last()
    try:
        for event in shown:
            _say(event, as_json=as_json)
            position = max(position, event.position)
        for _ in _looks() if follow else ():
            for event in store.read(stream, after=position):
                position = event.position
                if _is_of(event, types):
                    _say(event, as_json=as_json)
    except KeyboardInterrupt:
        return


def _is_of(event: Envelope, types: Sequence[str]) -> bool:
    """Whether an event is of one of these types, which may be written with `*`, and with or without a version."""
    return not types or any(fnmatchcase(event.kind, kind) or fnmatchcase(event.type, kind) for kind in types)


def _say(event: Envelope, *, as_json: bool) -> None:
    if as_json:
        say_now(json.dumps(as_data(event)))
        return
    head = paint(f"{event.position:>7}  {event.at:%Y-%m-%d %H:%M:%S}  {event.stream}", "dim")
    say_now(f"{head}  {event.kind:<24}  {in_words(event)}")


def verify_events(system: System, project: Path, *, as_json: bool) -> None:
    """Follow the hash chain over the whole log. Raises `RunError` at the first event that is not as it was written."""
    found = system.verify_log(project)
    if as_json:
        fault = {"fault": found.fault, "at": as_data(found.at) if found.at else None} if found.fault else {}
        say_json({"valid": found.fault is None, "events": found.events, **fault})
    if found.fault is not None:
        where = f" (run {found.at.stream}, {found.at.type})" if found.at else ""
        raise RunError(
            f"the log is not what was written: {found.fault}{where}",
            hint=f"the {found.events:,} events before are sound; bring the state database back from a backup, or keep it as evidence",
        )
    if not as_json:
        say(f"{paint('ok', 'green')}  {found.events:,} events, each follows the one before it")


def export_events(system: System, project: Path, out: Path | None, after: int, *, cloud: bool) -> None:
    """All events behind a position, one JSON object a line."""
    if out is not None and out.exists():
        raise UsageError(f"{out} exists already", hint="give another name, or remove it first")
    own = (as_data(event) for event in system.event_store(project).read(after=after))
    lines = map(json.dumps, system.cloud_events(project, after) if cloud else own)
    if out is None:
        for line in lines:
            say(line)
        return
    count = 0
    with out.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
    warn(f"wrote {count:,} events to {out}")
