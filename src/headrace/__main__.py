"""The door of the command line: `headrace` and `python -m headrace`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.application.cli.system import System


def _system() -> System:
    from headrace import bootstrap

    return bootstrap


def _settled() -> None:
    """What is loaded by now is never garbage: looking through it again when the process ends would be a tenth of a short run."""
    if "duckdb" not in sys.modules:  # it wants its own objects to be found then, and complains of others
        gc.freeze()


def main() -> None:
    try:
        code = _invoked()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        code = 130
    # There is nothing left that could be interrupted: what was done is done, and was told.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _invoked() -> int:
    # A short command makes many objects and hardly any garbage: looking for some while it starts is a tenth of its time.
    gc.set_threshold(300_000, 50, 100)
    # Pydantic would look for plugins in the metadata of everything that is installed; there are none for us.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from headrace.application.cli.invocation import invoke

    return invoke(sys.argv[1:], _system, _settled)


if __name__ == "__main__":
    main()
