"""The door of the command line: `headrace` and `python -m headrace`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.application.cli.system import System


def _system() -> System:
    from headrace import bootstrap

    return bootstrap


def main() -> None:
    from headrace.application.cli.invocation import invoke

    sys.exit(invoke(sys.argv[1:], _system))


if __name__ == "__main__":
    main()
