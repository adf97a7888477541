"""Named points at which a run can be made to die, by tests and by `headrace chaos`. In every other run they cost one comparison.

HEADRACE_FAILPOINTS="staged"            kill this process when it comes there
HEADRACE_FAILPOINTS="staged=stop"       stop it there (SIGSTOP), until somebody wakes it
HEADRACE_FAILPOINTS="appended@3"        the third time that it comes there
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

VARIABLE = "HEADRACE_FAILPOINTS"
_DEEDS = {"kill": "SIGKILL", "stop": "SIGSTOP", "interrupt": "SIGINT"}


@dataclass(slots=True)
class Failpoints:
    """What is to happen where: by point, the deed and at which passing."""

    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_environment(cls) -> Failpoints:
        """As the environment says; most often nothing."""
        found: dict[str, tuple[str, int]] = {}
        for item in filter(None, os.environ.get(VARIABLE, "").split(",")):
            place, _, deed = item.partition("=")
            point, _, nth = place.partition("@")
            found[point] = (deed or "kill", int(nth or 1))
        return cls(found)

    def reached(self, point: str) -> None:
        if point not in self.wanted:
            return
        self.passed[point] = self.passed.get(point, 0) + 1
        deed, nth = self.wanted[point]
        if self.passed[point] == nth:
            import signal

            os.kill(os.getpid(), getattr(signal, _DEEDS[deed]))
