"""`headrace streams`: how the streams of a project stand, and how one is brought to its end. Not how a stream works."""

from __future__ import annotations

from pathlib import Path

from headrace.application.cli.console import number, paint, say, say_json, table
from headrace.application.cli.controlling import cancel_run
from headrace.application.cli.stream_board import board_lines
from headrace.application.cli.system import System
from headrace.application.queries.streams import StreamView, all_streams, find_stream
from headrace.errors import UsageError


def list_streams(system: System, project: Path, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    found = all_streams(system.event_store(project), system.pauses(project).paused())
    if as_json:
        say_json([stream.as_data() for stream in found])
        return
    if not found:
        say("there are no streams yet; a pipeline that reads from a broker is one: `headrace run FILE`")
        return
    head = ("stream", "state", "epoch", "rows/s", "read", "written", "lag", "run")
    rows = [
        (s.name, s.state, number(s.epoch), number(round(s.rate)), number(s.read), number(s.written), number(s.lag), s.run_id)
        for s in found
    ]
    for line in table(head, rows, right=range(2, 7)):
        say(line)


def show_stream(system: System, project: Path, name: str, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    stream = find_stream(system.event_store(project), system.pauses(project).paused(), name)
    if as_json:
        say_json(stream.as_data() | {"progress": stream.progress})
        return
    say(f"{paint(stream.name, 'bold')}  {stream.state}  run {stream.run_id}  seen {stream.at}")
    for line in board_lines(stream.progress):
        say(line)


def stop_stream(system: System, project: Path, name: str, *, wait: bool, as_json: bool) -> None:
    stream: StreamView = find_stream(system.event_store(project), {}, name)
    if stream.state not in ("running", "queued", "waiting"):
        raise UsageError(f"`{name}` does not run: its last run {stream.state}", hint="`headrace run FILE` goes on with it")
    cancel_run(system, project, stream.run_id, wait=wait, as_json=as_json)
