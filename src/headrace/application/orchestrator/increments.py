"""Decides what a run still has to read and to whom it still has to publish, from the ledgers that live with the targets.

Nothing here depends on the local disk: a run on a fresh machine decides the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headrace.business.model.definition import Definition
from headrace.business.ports import Checkpoint, FileScan, InputFile
from headrace.business.processing.plan import Plan, PlannedSink, PlannedSource, Resolved

HashFile = Callable[[InputFile], InputFile]


@dataclass(frozen=True, slots=True)
class Work:
    """What one run does: the files to read of each incremental source, where its cursors stand, and the sinks that lack it."""

    files: Mapping[str, tuple[InputFile, ...]]
    cursors: Mapping[str, str]
    sinks: tuple[PlannedSink, ...]
    more: bool = False
    """Whether another run has to follow, because some sinks were behind others."""

    @property
    def nothing_new(self) -> bool:
        return bool(self.files) and not any(self.files.values()) and not self.cursors


def outstanding(plan: Plan, ledgers: Mapping[str, Sequence[Checkpoint]], hash_file: HashFile, project: Path) -> Work:
    """The work of the next run.

    When sinks differ in what they hold, because a run died between them, the gap is closed first, for those that lack it.
    """
    files: dict[str, dict[str, tuple[InputFile, ...]]] = {}
    for source in plan.sources:
        if _by_file(plan.definition, source):
            present = tuple(hash_file(f) for f in source.scan.files)  # type: ignore[attr-defined]
            files[source.name] = {sink.name: _unseen(present, ledgers[sink.name], source.name, project) for sink in plan.sinks}
    cursors = {s.name: {k.name: _position(ledgers[k.name], s.name) for k in plan.sinks} for s in plan.sources if s.resumes}
    behind = [sink for sink in plan.sinks if _lag(sink, plan.sinks, files, cursors)]
    if behind:
        sinks = [s for s in plan.sinks if _same(s, behind[0], files, cursors)]
        gap = {name: _gap(by_sink, behind[0].name) for name, by_sink in files.items()}
        return Work(gap, _started(cursors, behind[0].name), tuple(sinks), more=True)
    first = plan.sinks[0].name if plan.sinks else ""
    return Work({n: by[first] for n, by in files.items() if first in by}, _started(cursors, first), plan.sinks)


def _by_file(definition: Definition, source: PlannedSource) -> bool:
    incremental = definition.sources[source.name].incremental
    return incremental is not None and incremental.by == "file" and isinstance(source.scan, FileScan)


def _unseen(present: tuple[InputFile, ...], ledger: Sequence[Checkpoint], source: str, project: Path) -> tuple[InputFile, ...]:
    seen = {(f.path, f.state) for c in ledger for f in c.inputs.get(source, ())}
    return tuple(f for f in present if (inside(f.name, project), f.state) not in seen)


def inside(path: str, project: Path) -> str:
    """A path as it is remembered: from the project folder where it lies in there, so that the project can move."""
    found = Path(path)
    root = project.resolve()
    return found.relative_to(root).as_posix() if found.is_relative_to(root) else path


def remembered(file: InputFile, project: Path) -> InputFile:
    """A file as ledgers keep it: by what people know it by, not by where this machine reads it."""
    return replace(file, path=inside(file.name, project), address=None)


def _position(ledger: Sequence[Checkpoint], source: str) -> str:
    positions = [c.cursors[source] for c in ledger if c.cursors.get(source)]
    return positions[-1] if positions else ""


def _lag(sink: PlannedSink, sinks: Sequence[PlannedSink], files: Any, cursors: Any) -> bool:
    """Whether this sink lacks something that another has."""
    return any(not _same(sink, other, files, cursors) and _holds_more(other, sink, files, cursors) for other in sinks)


def _same(a: PlannedSink, b: PlannedSink, files: Any, cursors: Any) -> bool:
    return all(by[a.name] == by[b.name] for by in (*files.values(), *cursors.values()))


def _holds_more(a: PlannedSink, b: PlannedSink, files: Any, cursors: Any) -> bool:
    return any(set(by[b.name]) - set(by[a.name]) for by in files.values()) or any(
        by[a.name] != by[b.name] for by in cursors.values()
    )


def _gap(by_sink: Mapping[str, tuple[InputFile, ...]], behind: str) -> tuple[InputFile, ...]:
    missing_everywhere = set.intersection(*(set(files) for files in by_sink.values()))
    return tuple(f for f in by_sink[behind] if f not in missing_everywhere)


def _started(cursors: Mapping[str, Mapping[str, str]], sink: str) -> dict[str, str]:
    return {name: by[sink] for name, by in cursors.items() if by.get(sink)}


def narrowed(found: Resolved, files: tuple[InputFile, ...]) -> Resolved:
    """The same source, of these files only."""
    scan = found.scan
    if not isinstance(scan, FileScan):
        return found
    wanted = {f.name: f for f in files}
    kept = tuple(replace(wanted[f.name], path=f.path) for f in scan.files if f.name in wanted)
    return replace(found, scan=replace(scan, files=kept))


def checkpoint_name(plan: Plan, sink: PlannedSink, params: Mapping[str, Any], inputs: Mapping[str, Any], run_id: str) -> str:
    """What a publication stands for. To append the same rows again would double them, whatever the rules are now, so there only
    the inputs count; any other mode gives a new result when the plan changes. Inputs that cannot be told apart count as new."""
    meaning: dict[str, Any] = {"pipeline": plan.definition.pipeline, "params": dict(params), "inputs": inputs}
    if getattr(sink.publisher, "mode", "replace") != "append":
        meaning["plan"] = plan.fingerprint
    if any(value is None for value in inputs.values()):
        meaning["run"] = run_id
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()[:32]


def identity(source: PlannedSource, hash_file: HashFile, project: Path, *, content: bool) -> Any:
    """What tells one state of a source from another: its files, by content or by size and time. None when nothing does."""
    files = getattr(source.scan, "files", ())
    if not files:
        return None
    if content:
        return [[inside(f.name, project), hash_file(f).state] for f in files]
    return [[inside(f.name, project), f.bytes, f.version or f.modified_ns] for f in files]
