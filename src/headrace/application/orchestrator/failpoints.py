"""Named points at which a process can be made to die, by tests and by `headrace chaos`. In every other run they cost one comparison.

HEADRACE_FAILPOINTS="staged"            kill this process when it comes there
HEADRACE_FAILPOINTS="staged=stop"       stop it there (SIGSTOP), until somebody wakes it
HEADRACE_FAILPOINTS="staged=wait"       wait there, until a file `staged.answered` stands beside the mark of it (see below)
HEADRACE_FAILPOINTS="*=note"            only mark each point, from the second passing on with its number: `appended@2`
HEADRACE_FAILPOINTS="appended@3"        the third time that it comes there
HEADRACE_FAILPOINTS_SPENT="/folder"     each happens once, whichever process comes first: a file of its name there holds that process's id
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

VARIABLE = "HEADRACE_FAILPOINTS"
SPENT = "HEADRACE_FAILPOINTS_SPENT"
_SIGNALS = {"kill": "SIGKILL", "stop": "SIGSTOP", "interrupt": "SIGINT"}
ANSWERED = ".answered"
#: How long an answer is waited for, and how many passings of one point are marked.
_PATIENCE, _NOTED = 60.0, 4

#: Where a worker can be made to die.
OF_WORKERS = ("claiming", "claim made", "child started", "child ended")
#: Where the process of a run can be made to die, in the order in which it passes them. Each sink has three more, and passes its own.
OF_RUNS = (
    "claimed", "pipeline.started", "data.validated", "ingested", "data.staged", "data.processed", "staged", "quality.checked", "audited",
    "appending", "appended", "before completed", "pipeline.completed",
)  # fmt: skip
#: The same for the publication to a sink.
OF_PUBLICATIONS = ("before publishing {}", "published {}", "told of {}")


@dataclass(slots=True)
class Failpoints:
    """What is to happen where: by point, the deed and at which passing."""

    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)
    spent: Path | None = None
    passed: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_environment(cls) -> Failpoints:
        """As the environment says; most often nothing."""
        found: dict[str, tuple[str, int]] = {}
        for item in filter(None, os.environ.get(VARIABLE, "").split(",")):
            place, _, deed = item.partition("=")
            point, _, nth = place.partition("@")
            found[point] = (deed or "kill", int(nth or 1))
        folder = os.environ.get(SPENT)
        return cls(found, Path(folder) if folder else None)

    def reached(self, point: str) -> None:
        wanted = self.wanted.get(point) or self.wanted.get("*")
        if wanted is None:
            return
        passing = self.passed[point] = self.passed.get(point, 0) + 1
        deed, nth = wanted
        if deed == "note" and passing <= _NOTED:
            self._is_first(point if passing == 1 else f"{point}@{passing}")
        elif passing == nth and self._is_first(point):
            self._wait(point) if deed == "wait" else self._signal(deed)

    def _signal(self, deed: str) -> None:
        import signal

        os.kill(os.getpid(), getattr(signal, _SIGNALS[deed]))

    def _wait(self, point: str) -> None:
        import time

        deadline = time.monotonic() + _PATIENCE
        while self.spent is not None and not (self.spent / f"{point}{ANSWERED}").exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _is_first(self, point: str) -> bool:
        if self.spent is None:
            return True
        try:
            with (self.spent / point).open("x") as mark:
                mark.write(str(os.getpid()))
        except FileExistsError:
            return False
        return True


@cache
def _of_this_process() -> Failpoints:
    return Failpoints.of_environment()


def reached(point: str) -> None:
    """This process came to a point."""
    _of_this_process().reached(point)
