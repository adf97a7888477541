"""Turns what was typed into what the commands work with: parameters, and the file of a definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.errors import UsageError


def parameters(written: Sequence[str] | None) -> dict[str, str]:
    """`name=value` options as a mapping. Raises `UsageError`."""
    found: dict[str, str] = {}
    for item in written or ():
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"`--param {item}` is not of the form name=value", hint="for example `--param day=2013-01-01`")
        found[name.strip()] = value
    return found


def definition_file(file: Path) -> Path:
    """The file that was named; a folder means its `pipeline.yaml`. Raises `UsageError`."""
    found = file / "pipeline.yaml" if file.is_dir() else file
    if not found.exists():
        near = sorted(p.name for p in found.parent.glob("*.y*ml")) if found.parent.is_dir() else []
        hint = f"there are: {', '.join(near)}" if near else "`headrace init` writes one to start from"
        raise UsageError(f"there is no file {found}", hint=hint)
    return found
