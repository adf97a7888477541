"""`headrace init`: writes a small working pipeline to start from. It never overwrites anything."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from headrace.application.cli.console import say
from headrace.errors import UsageError

PARTS = ("pipeline.yaml", "data/sample.csv")


def start(folder: Path) -> None:
    there = [part for part in PARTS if (folder / part).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} exists already", hint="give another folder: `headrace init NAME`")
    templates = files("headrace.application.cli") / "templates"
    for part in PARTS:
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(templates.joinpath(part).read_bytes())
        say(f"  wrote {target}")
    where = "" if folder == Path() else f"cd {folder} && "
    say(f"\nnext: {where}headrace run")
