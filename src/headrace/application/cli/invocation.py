"""One call of the command line: the system it works on, and how errors end it.

Exit codes: 0 ok, 1 the run failed, 2 bad usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.application.cli.system import System

_compose: list[Callable[[], System]] = []


def system() -> System:
    """The composed system, made when the first command asks for it."""
    return _compose[-1]()


def invoke(arguments: Sequence[str], compose: Callable[[], System]) -> int:
    """Carry out one command; the exit code."""
    from headrace.application.cli.app import app
    from headrace.application.cli.console import paint, warn
    from headrace.errors import HeadraceError

    _compose.append(compose)
    try:
        app(args=list(arguments), prog_name="headrace")
    except SystemExit as done:
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
    finally:
        _compose.pop()
    return 0


def parameters(written: Sequence[str] | None) -> dict[str, str]:
    """`name=value` options as a mapping. Raises `UsageError`."""
    from headrace.errors import UsageError

    found: dict[str, str] = {}
    for item in written or ():
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"`--param {item}` is not of the form name=value", hint="for example `--param day=2013-01-01`")
        found[name.strip()] = value
    return found


def definition_file(file: Path) -> Path:
    """The file that was named; a folder means its `pipeline.yaml`. Raises `UsageError`."""
    from headrace.errors import UsageError

    found = file / "pipeline.yaml" if file.is_dir() else file
    if not found.exists():
        near = sorted(p.name for p in found.parent.glob("*.y*ml")) if found.parent.is_dir() else []
        hint = f"there are: {', '.join(near)}" if near else "`headrace init` writes one to start from"
        raise UsageError(f"there is no file {found}", hint=hint)
    return found
