"""Lets rows that were held back through the pipeline again, each at most once, whatever is killed when.

The intent, with the rows and the checkpoints under which they will be published, is recorded before anything is; so a replay
that died half-way is recognised by asking the sinks, and its rows are not taken twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headrace.application.queries.quarantine import Held
from headrace.business.ports import ParquetScan
from headrace.business.processing.plan import Plan
from headrace.business.processing.relation import Dataset, Filter, Project
from headrace.errors import UsageError


class HeldRows(Protocol):
    """Where rows that were held back are kept."""

    def ids(self, path: Path, *, readable: bool = True) -> Sequence[str]:
        """The rows in a file; with `readable`, those whose cells are known."""
        ...

    def texts(self, path: Path, ids: Collection[str], columns: Sequence[str], out: Path) -> ParquetScan: ...

    def mended(
        self, file: Path, known: Collection[str], columns: Sequence[str], out: Path
    ) -> tuple[Sequence[str], ParquetScan]: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """The rows that go through again."""

    held: Held
    ids: tuple[str, ...]
    scan: ParquetScan

    @property
    def identity(self) -> Mapping[str, str]:
        """What tells this replay from others: the rows, and what they say now."""
        texts = "".join(f.sha256 or "" for f in self.scan.files)
        return {"replay": hashlib.sha256((",".join(sorted(self.ids)) + texts).encode()).hexdigest()}


def refuse_if_unfit(plan: Plan, held: Held, *, mended: bool) -> None:
    """Rows can be added one by one only where targets are added to, and where no step needs the others beside them."""
    rebuilt = [s.name for s in plan.sinks if getattr(s.publisher, "mode", "replace") == "replace"]
    if rebuilt and mended:
        raise UsageError(
            f"every run builds {', '.join(rebuilt)} anew from the whole source, so mended rows would be lost again",
            hint=f"mend the rows in the source of `{held.dataset}` itself, then `headrace run`",
        )
    if rebuilt:
        raise UsageError(
            f"every run builds {', '.join(rebuilt)} anew from the whole source, so single rows cannot be added there",
            hint="give all sinks `mode: append` or `mode: merge`, or rebuild all of them with `headrace run --full-refresh`",
        )
    for step in plan.steps:
        alone = all(isinstance(node, Project | Filter | Dataset) or node.rows == "same" for node in step.relation.walk())
        if held.dataset in _upstream(plan, step.name) and not alone:
            raise UsageError(
                f"step `{step.name}` ({step.kind}) needs all rows beside each other, so rows cannot be added one by one",
                hint="mend the source, then `headrace run --full-refresh`",
            )


def _upstream(plan: Plan, name: str) -> set[str]:
    relations = {s.name: s.relation.datasets() for s in plan.steps}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for below in relations.get(waiting.pop(), ()):
            if below not in found:
                found.add(below)
                waiting.append(below)
    return found
