"""Copies of a project on which its pipeline is run by a worker that is killed, and cut off, at named points, with a state of their own.
Not at which points, nor what is compared.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.chaos import Blow, Trace
from headrace.application.orchestrator.failpoints import ANSWERED, SPENT, VARIABLE
from headrace.application.orchestrator.queue import RunRequest
from headrace.application.queries.runs import fold
from headrace.business.model.definition import Definition
from headrace.business.model.schema import Schema
from headrace.business.movable import Movable
from headrace.business.ports import Readable
from headrace.errors import RunError
from headrace.infrastructure.detours import VARIABLE as DETOURS
from headrace.infrastructure.relay import Relay
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.target_digests import digest_of, digest_read_back
from headrace.records import record

#: What no copy needs: state, what belongs to tools, and what was installed.
LEFT_OUT = (".headrace", ".git", ".venv", "venv", "__pycache__", "node_modules")
#: Settings that say where state is: a copy's is its own.
_STATE = ("database_url", "database_schema", "state", "definitions")
_LOOK_EVERY = 0.01


@record
class Request:
    """A run of the definition as it lies in a copy, and the targets outside of the copy that can be read back, with their columns."""

    run: RunRequest
    outside: Mapping[str, tuple[Readable, Schema]]


@record
class State:
    """Where a copy has its state: the database, what its worker has to know of it, and what removes it."""

    database: Database
    settings: Mapping[str, str]
    remove: Callable[[], object]


@record
class Ground:
    """What trials are made of: a project with its settings, and what is different in a copy. `requested` and `state` are given the copy
    and the name of its place in databases."""

    project: Path
    settings: Mapping[str, Any]
    definition: Definition
    requested: Callable[[Path, str, bool], Request]
    state: Callable[[Path, str], State]
    room: Path
    place: str


class ProvingGround:
    """See `chaos.Arena`. `relays` stand before the remote systems, by their names."""

    def __init__(self, ground: Ground, relays: Mapping[str, Relay], not_cut: Mapping[str, str]) -> None:
        self.ground, self.relays, self.not_cut = ground, relays, not_cut
        self.reached: Sequence[str] = sorted(relays)
        self._count = 0

    def run(self, blows: Sequence[Blow], *, anew: bool) -> Trace:
        self._count += 1
        place, copy = f"{self.ground.place}_{self._count}", self._copy()
        with ExitStack() as leaving:
            leaving.callback(shutil.rmtree, copy)
            spent = copy.with_suffix(".spent")
            spent.mkdir()
            leaving.callback(shutil.rmtree, spent)
            state = self.ground.state(copy, place)
            database = state.database
            leaving.callback(database.close)
            leaving.callback(state.remove)
            for sink in self.ground.definition.sinks:
                if isinstance(sink.plugin, Movable):
                    leaving.callback(sink.plugin.clear, place)
            request = self.ground.requested(copy, place, anew)
            queue = DatabaseRunQueue(database)
            run_id = queue.submit(request.run)
            self._carry_out(copy, queue, state, blows, spent)
            run = fold(run_id, EventLog(database).read(run_id))
            targets = self._targets(copy, request)
            there = {mark.name: mark.stat().st_mtime for mark in sorted(spent.iterdir())}
            if blows:
                return Trace(run, targets, [blow.point for blow in blows if _name(blow) in there])
            last = max((relay.last_at for relay in self.relays.values()), default=0.0)
            return Trace(run, targets, list(there), [point for point, at in there.items() if at < last])

    def _copy(self) -> Path:
        ground = self.ground
        copy = ground.room / str(self._count)
        shutil.copytree(ground.project, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        kept = {name: value for name, value in ground.settings.items() if name not in _STATE}
        kept |= {"attempts": 1000}
        (copy / "headrace.toml").write_text("".join(f"{name} = {_toml(value)}\n" for name, value in kept.items()))
        return copy

    def _targets(self, copy: Path, request: Request) -> Mapping[str, str]:
        within = {sink.name: digest_of(sink.plugin, copy) for sink in self.ground.definition.sinks}
        outside = {name: digest_read_back(target, copy, columns) for name, (target, columns) in request.outside.items()}
        return {name: digest for name, digest in within.items() if digest} | outside

    def _carry_out(self, copy: Path, queue: DatabaseRunQueue, state: State, blows: Sequence[Blow], spent: Path) -> None:
        """Let a worker do it; one that was killed is started again, and who waits for connections to be cut is answered."""
        env = self._environment(state, blows, spent)
        command = [sys.executable, "-m", "headrace", "worker", "--project", str(copy), "--parallel", "1", "--drain", "0"]
        words = copy.with_suffix(".log")
        worker: subprocess.Popen[bytes] | None = None
        try:
            while queue.outstanding():
                if worker is None or worker.poll() is not None:
                    if worker is not None and worker.returncode != -signal.SIGKILL:
                        raise RunError(f"a worker ended by itself: {words.read_text(errors='replace')[-500:]}")
                    with words.open("ab") as log:
                        worker = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)  # noqa: S603
                self._answer(blows, spent)
                time.sleep(_LOOK_EVERY)
        finally:
            if worker is not None and worker.poll() is None:
                self._answer(blows, spent)
                worker.terminate()
                worker.wait()

    def _environment(self, state: State, blows: Sequence[Blow], spent: Path) -> dict[str, str]:
        mine = {f"HEADRACE_{name.upper()}" for name in (*_STATE, "attempts")}
        deeds = ",".join(f"{blow.point}={'kill' if blow.deed == 'kill' else 'wait'}" for blow in blows) or "*=note"
        detours = " ".join(f"{system}={relay.address}" for system, relay in self.relays.items())
        env = {name: value for name, value in os.environ.items() if name not in mine}
        return env | dict(state.settings) | {VARIABLE: deeds, SPENT: str(spent), DETOURS: detours}

    def _answer(self, blows: Sequence[Blow], spent: Path) -> None:
        for blow in blows:
            mark = spent / _name(blow)
            answer = spent / f"{mark.name}{ANSWERED}"
            if blow.deed != "kill" and mark.exists() and not answer.exists():
                for relay in self.relays.values():
                    relay.cut() if blow.deed == "cut" else relay.lose()
                answer.touch()


def _name(blow: Blow) -> str:
    """Of the mark that a process leaves at the point."""
    return blow.point.partition("@")[0]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
