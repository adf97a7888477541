"""Copies of a project on which its pipeline is run by a worker that is killed at named points, with a state database of their own.
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
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.failpoints import SPENT, VARIABLE
from headrace.application.orchestrator.queue import RunRequest
from headrace.application.queries.runs import RunView, fold
from headrace.business.model.definition import Definition
from headrace.errors import RunError
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase
from headrace.infrastructure.target_digests import digest_of

#: What no copy needs: state, what belongs to tools, and what was installed.
LEFT_OUT = (".headrace", ".git", ".venv", "venv", "__pycache__", "node_modules")
#: Settings that say where state is: a copy's is its own.
_STATE = ("database_url", "state", "definitions")
_LOOK_EVERY = 0.05


class ProvingGround:
    """See `chaos.Arena`. `requested` makes the request for a run of the definition as it lies in a copy."""

    def __init__(
        self,
        project: Path,
        settings: Mapping[str, Any],
        definition: Definition,
        requested: Callable[[Path, bool], RunRequest],
        room: Path,
    ) -> None:
        self.project, self.settings, self.definition = project, settings, definition
        self.requested, self.room = requested, room
        self._count = 0

    def run(self, points: Sequence[str], *, anew: bool) -> tuple[RunView, Mapping[str, str], Sequence[str]]:
        copy = self._copy()
        spent = copy.with_suffix(".spent")
        spent.mkdir()
        database = SqliteDatabase(copy / ".headrace" / "headrace.db")
        try:
            queue = DatabaseRunQueue(database)
            run_id = queue.submit(self.requested(copy, anew))
            self._carry_out(copy, queue, {VARIABLE: ",".join(points), SPENT: str(spent)})
            run = fold(run_id, EventLog(database).read(run_id))
            targets = {sink.name: digest_of(sink.plugin, copy) for sink in self.definition.sinks}
            return run, {name: digest for name, digest in targets.items() if digest}, sorted(p.name for p in spent.iterdir())
        finally:
            database.close()
            shutil.rmtree(copy)
            shutil.rmtree(spent)

    def _copy(self) -> Path:
        self._count += 1
        copy = self.room / str(self._count)
        shutil.copytree(self.project, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        kept = {name: value for name, value in self.settings.items() if name not in _STATE}
        kept |= {"attempts": 1000}
        (copy / "headrace.toml").write_text("".join(f"{name} = {_toml(value)}\n" for name, value in kept.items()))
        return copy

    def _carry_out(self, copy: Path, queue: DatabaseRunQueue, failpoints: Mapping[str, str]) -> None:
        """Let a worker do it; one that was killed is started again."""
        mine = {f"HEADRACE_{name.upper()}" for name in (*_STATE, "attempts")}
        env = {name: value for name, value in os.environ.items() if name not in mine} | dict(failpoints)
        command = [sys.executable, "-m", "headrace", "worker", "--project", str(copy), "--parallel", "1"]
        words = copy.with_suffix(".log")
        worker: subprocess.Popen[bytes] | None = None
        try:
            while queue.outstanding():
                if worker is None or worker.poll() is not None:
                    if worker is not None and worker.returncode != -signal.SIGKILL:
                        raise RunError(f"a worker ended by itself: {words.read_text(errors='replace')[-500:]}")
                    with words.open("ab") as log:
                        worker = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)  # noqa: S603
                time.sleep(_LOOK_EVERY)
        finally:
            if worker is not None and worker.poll() is None:
                worker.terminate()
                worker.wait()


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)
