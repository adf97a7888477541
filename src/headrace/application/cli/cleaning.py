"""The command `headrace clean`: shows what dead runs left, and has it removed."""

from __future__ import annotations

from pathlib import Path

from headrace.application.cli.console import say, say_json, size, table
from headrace.application.cli.system import System


def clean(system: System, project: Path, *, pretend: bool, as_json: bool) -> None:
    found = system.clean(project, pretend=pretend)
    if as_json:
        say_json([{"what": litter.what, "run": litter.run, "bytes": litter.bytes, "removed": not pretend} for litter in found])
        return
    if not found:
        say("nothing is left over")
        return
    rows = [(litter.what, litter.run, size(litter.bytes)) for litter in found]
    for line in table(("left over", "of run", "size"), rows, right=(2,)):
        say(line)
    total = f"{len(found)} of them, {size(sum(litter.bytes for litter in found))}"
    say(f"{total}: would be removed" if pretend else f"{total}: removed")
