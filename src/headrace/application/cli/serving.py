"""`headrace serve` and `headrace worker`: processes that go on until they are told to stop. Not what they do."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

from headrace.application.cli.console import say
from headrace.application.cli.system import System
from headrace.application.orchestrator.serving import until_told_to_stop


def work(system: System, project: Path, parallel: int, drain_seconds: float, *, serving: bool) -> None:
    """Until SIGTERM or Ctrl-C; then runs that go on come to their end, for at most `drain_seconds`."""
    composed = (system.serve if serving else system.worker)(project, parallel, _tell)
    what = "serving" if serving else "working"
    _tell(f"{what} for {composed.home}: up to {parallel} runs at once; Ctrl-C lets them come to their end, twice stops them")
    with until_told_to_stop(composed.loop.stopping), composed.duties or nullcontext():
        try:
            composed.loop.run(drain_seconds)
        except KeyboardInterrupt:
            composed.loop.run(0)
    _tell("stopped")


def _tell(line: str) -> None:
    say(f"{time.strftime('%H:%M:%S')}  {line}")
