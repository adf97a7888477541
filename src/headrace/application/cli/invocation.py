"""One call of the command line: the system it works on, and how errors end it.

Exit codes: 0 ok, 1 the run failed or was interrupted, 2 bad usage, 130 interrupted where there was no run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

#: The exit code of a process that was interrupted, as shells have it.
INTERRUPTED = 130

if TYPE_CHECKING:
    from headrace.application.cli.system import System


def invoke(arguments: Sequence[str], compose: Callable[[], System], settled: Callable[[], None] = lambda: None) -> int:
    """Carry out one command; the exit code. `settled` is called when most of what it needs is loaded."""
    from headrace.application.cli.app import app
    from headrace.application.cli.composed import composing
    from headrace.application.cli.console import paint, warn
    from headrace.application.cli.narrowing import command_for
    from headrace.application.orchestrator.interruptions import Interruptions
    from headrace.errors import HeadraceError

    try:
        with Interruptions(), composing(compose, settled):
            command_for(app, arguments)(args=list(arguments), prog_name="headrace")
    except SystemExit as done:
        if done.code == INTERRUPTED:  # so says Typer, and nothing more
            warn(paint("error: ", "bold red", sys.stderr) + "interrupted")
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except HeadraceError as error:
        warn(paint("error: ", "bold red", sys.stderr) + str(error))
        return error.exit_code
    except ImportError as error:
        told = compose().missing_library(error)
        if told is None:
            raise
        warn(paint("error: ", "bold red", sys.stderr) + str(told))
        return told.exit_code
    except BrokenPipeError:
        sys.stderr.close()
    return 0
