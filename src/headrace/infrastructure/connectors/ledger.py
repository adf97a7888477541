"""The ledger of a target: which checkpoints it holds. It lives with the rows and decides whether a publication was there before.

An appended checkpoint counts for ever: to append it again would double its rows. Any other stands for a state of the target,
and counts only until another publication changes that state; so a target goes back to an earlier state when its inputs do.

It stays small. Each input file is kept once, with the newest checkpoint that read it, and each cursor likewise; a checkpoint
that no longer counts keeps nothing but these, and is gone when it has none. So it grows with the appended publications and the
distinct files they read. Not where the ledger is stored: a manifest holds it for files, a table for databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from headrace.business.ports import Checkpoint, InputFile, Position
from headrace.records import record

Mode = Literal["append", "replace", "merge", "scd2"]


@record
class Entry:
    """A checkpoint and how it was published. Without a name it no longer counts, and only tells what was read."""

    checkpoint: Checkpoint
    mode: Mode


Ledger = tuple[Entry, ...]


def holds(ledger: Iterable[Entry], checkpoint: Checkpoint) -> bool:
    return any(e.checkpoint.name == checkpoint.name for e in ledger)


def checkpoints(ledger: Iterable[Entry]) -> Sequence[Checkpoint]:
    return tuple(e.checkpoint for e in ledger)


def extended(ledger: Iterable[Entry], checkpoint: Checkpoint, mode: Mode) -> Ledger:
    """The ledger after this publication."""
    newest = Entry(checkpoint, mode)
    kept = (remainder(entry, newest) for entry in ledger)
    return (*(entry for entry in kept if entry is not None), newest)


def remainder(entry: Entry, newest: Entry) -> Entry | None:
    """What is left of an entry when a newer one follows."""
    old, new = entry.checkpoint, newest.checkpoint
    name = "" if _superseded(entry, newest) else old.name
    inputs, cursors = old.inputs, old.cursors
    if old.pipeline == new.pipeline:
        inputs = {source: _without(files, new.inputs.get(source, ())) for source, files in inputs.items()}
        cursors = {source: position for source, position in cursors.items() if source not in new.cursors}
    inputs = {source: files for source, files in inputs.items() if files}
    if not name and not inputs and not cursors:
        return None
    return replace(entry, checkpoint=replace(old, name=name, inputs=inputs, cursors=cursors))


def _superseded(entry: Entry, newest: Entry) -> bool:
    if entry.mode == "append":
        return False
    return entry.mode == "replace" or newest.mode == "replace" or entry.checkpoint.pipeline == newest.checkpoint.pipeline


def _without(files: Sequence[InputFile], newer: Sequence[InputFile]) -> tuple[InputFile, ...]:
    again = set(newer)
    return tuple(f for f in files if f not in again)


def to_json(entry: Entry) -> dict[str, Any]:
    c = entry.checkpoint
    return {
        "name": c.name,
        "pipeline": c.pipeline,
        "run": c.run_id,
        "at": c.at.isoformat(),
        "mode": entry.mode,
        "inputs": {source: [_file(f) for f in files] for source, files in c.inputs.items()},
        "cursors": dict(c.cursors),
    }


def _file(file: InputFile) -> list[str | int | None]:
    written: list[str | int | None] = [file.path, file.bytes, file.modified_ns, file.sha256]
    return [*written, file.version] if file.version else written


def from_json(written: Mapping[str, Any]) -> Entry:
    return Entry(
        Checkpoint(
            written["name"],
            written["pipeline"],
            written["run"],
            datetime.fromisoformat(written["at"]),
            {source: tuple(InputFile(*file) for file in files) for source, files in written["inputs"].items()},
            {source: Position(position) for source, position in written["cursors"].items()},
        ),
        written["mode"],
    )
