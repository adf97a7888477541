"""Tells by starting a program: its arguments as they stand in the definition, never a shell. What happened is in its environment and,
as JSON, on its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from headrace.application.orchestrator.message import Message
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Notification
from headrace.errors import NonRetryableError, RetryableError

_KEPT_BYTES = 8_192
_PIECE = 65_536
#: The same facts as in the document, for programs that do not read JSON.
_FACTS = {
    "HEADRACE_OCCASION": "occasion",
    "HEADRACE_CHANGE": "change",
    "HEADRACE_TROUBLE": "trouble",
    "HEADRACE_PIPELINE": "pipeline",
    "HEADRACE_CHECK": "check",
    "HEADRACE_ALERT": "alert",
    "HEADRACE_SUMMARY": "summary",
}


@dataclass(frozen=True, slots=True)
class CommandNotifier:
    """See `Notifier`. A program that takes longer than `seconds` is killed with all that it has started.

    The beginning of what the last call of each notification printed is kept in `logs`, and nowhere else: it may hold secrets.
    """

    logs: Path
    seconds: float = 30.0

    def send(self, loaded: Loaded, notification: Notification, message: Message) -> None:
        if notification.command is None:
            raise NonRetryableError("this notification is not a command", hint="this is a defect of ours; please report it")
        words = list(notification.command.run)
        shown = f"the program `{words[0]}`"
        log = self.logs / f"{loaded.definition.pipeline}.{_file_name(str(notification.name))}.log"
        with tempfile.TemporaryFile() as document:
            document.write(json.dumps(message.document()).encode())
            document.seek(0)
            code = self._run(words, loaded.project, _environment(message), document, log, shown)
        if code is None:
            raise RetryableError(f"{shown} was killed: it took longer than {self.seconds:g} seconds")
        if code != 0:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise RetryableError(f"{shown} {how}", hint=f"what it printed is in {log}")

    def _run(
        self, words: list[str], project: Path, env: dict[str, str], document: IO[bytes], log: Path, shown: str
    ) -> int | None:
        try:
            program = subprocess.Popen(  # noqa: S603 - the arguments are the definition's own, and go to no shell
                words,
                cwd=project,
                env=env,
                stdin=document,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:
            hint = f"a path is meant from the project folder, {project}; a name without `/` is looked for in PATH"
            raise NonRetryableError(f"{shown} is not there", hint=hint) from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "a word of its arguments holds a zero byte"
            hint = "it must be executable, and a script begins with a line such as `#!/bin/sh`"
            raise NonRetryableError(f"{shown} cannot be started: {why}", hint=hint) from None
        output = _Output(program.stdout)
        try:
            return program.wait(self.seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill(program)
            with suppress(OSError):  # People were told or not, whether there is room for what the program printed or not.
                output.keep(log)


class _Output:
    """Reads what a program prints for as long as anybody prints, so that it never waits for a reader; keeps the beginning."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe, self._kept = pipe, bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True, name="headrace-output")
        self._thread.start()

    def keep(self, log: Path) -> None:
        self._thread.join(timeout=5)
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(bytes(self._kept))

    def _read(self) -> None:
        if self._pipe is None:
            return
        with self._pipe:
            while piece := os.read(self._pipe.fileno(), _PIECE):
                self._kept += piece[: _KEPT_BYTES - len(self._kept)]


def _kill(program: subprocess.Popen[bytes]) -> None:
    """End the group: what a program leaves behind would go on for ever, and hold its output open."""
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        program.wait()


def _environment(message: Message) -> dict[str, str]:
    facts = {name: str(message.facts[fact] or "") for name, fact in _FACTS.items()}
    run = message.facts["run"]
    return {**os.environ, **facts, "HEADRACE_MESSAGE": message.id, "HEADRACE_RUN_ID": run["id"] if run else ""}


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
