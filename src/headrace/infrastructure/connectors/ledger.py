"""The ledger of a target: which checkpoints it holds. It lives with the rows and decides whether a publication was there before.

An appended checkpoint counts for ever: to append it again would double its rows. Any other stands for a state of the target,
and counts only until another publication changes that state; so a target goes back to an earlier state when its inputs do.

It stays small. Each input file is kept once, with the newest checkpoint that read it, and each cursor likewise; a checkpoint
that no longer counts keeps nothing but these, and is gone when it has none. So it grows with the appended publications and the
distinct files they read. The epochs of a stream only grow, so the last one stands for all before it, in every mode, and is the only one
of its stream that is kept. Where runs go on beside each other, the names of the newest that no longer count are kept too: a run that
died before it could tell of its publication must find it, whoever has published meanwhile. Not where the ledger is stored: a
manifest holds it for files, a table for databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from headrace.business.ports import Checkpoint, InputFile, Position
from headrace.infrastructure.connectors.fences import counts_of_runs
from headrace.records import record

Mode = Literal["append", "replace", "merge", "scd2"]

#: Of how many checkpoints that no longer count the names are kept. A run that is gone on with later than that publishes again.
REMEMBERED = 300
#: How such a name is written.
_WAS = "was "
#: How the name of an epoch begins.
_EPOCH = "epoch "


@record
class Entry:
    """A checkpoint and how it was published. Without a name it no longer counts, and only tells what was read."""

    checkpoint: Checkpoint
    mode: Mode


Ledger = tuple[Entry, ...]


def epoch_name(stream: str, epoch: int) -> str:
    """The name of the checkpoint that is an epoch of a stream."""
    return f"{_EPOCH}{epoch:d} of {stream}"


def epoch_of(checkpoint: Checkpoint) -> int | None:
    """Which epoch of its stream a checkpoint is; None for one that is no epoch."""
    number = checkpoint.name.removeprefix(_EPOCH).partition(" of ")[0]
    return int(number) if checkpoint.name.startswith(_EPOCH) and number.isdecimal() else None


def holds(ledger: Iterable[Entry], checkpoint: Checkpoint) -> bool:
    epoch = epoch_of(checkpoint)
    if epoch is None:
        return any(e.checkpoint.name == checkpoint.name for e in ledger)
    return any((epoch_of(e.checkpoint) or 0) >= epoch for e in ledger if e.checkpoint.pipeline == checkpoint.pipeline)


def checkpoints(ledger: Iterable[Entry]) -> Sequence[Checkpoint]:
    return tuple(e.checkpoint for e in ledger)


def extended(ledger: Sequence[Entry], checkpoint: Checkpoint, mode: Mode) -> Ledger:
    """The ledger after this publication."""
    newest = Entry(checkpoint, mode)
    kept = remainders(ledger, newest)
    return (*(entry for entry in kept if entry is not None), newest)


def remainders(ledger: Sequence[Entry], newest: Entry) -> Sequence[Entry | None]:
    """What is left of each entry when a newer one follows."""
    left = [_remainder(entry, newest) for entry in ledger]
    remembered = 0
    for n, entry in reversed(list(enumerate(left))):
        if entry is not None and entry.checkpoint.was:
            remembered += 1
            if remembered > REMEMBERED:
                left[n] = _left(entry, was="")
    return left


def _remainder(entry: Entry, newest: Entry) -> Entry | None:
    old, new = entry.checkpoint, newest.checkpoint
    name, was = old.name, old.was
    if name and _superseded(entry, newest):
        beside = new.fence is not None and epoch_of(old) is None and counts_of_runs(new.fence)
        name, was = "", name if beside else ""
    inputs, cursors = old.inputs, old.cursors
    if old.pipeline == new.pipeline:
        inputs = {source: _without(files, new.inputs.get(source, ())) for source, files in inputs.items()}
        cursors = {source: position for source, position in cursors.items() if source not in new.cursors}
    inputs = {source: files for source, files in inputs.items() if files}
    return _left(entry, name=name, was=was, inputs=inputs, cursors=cursors)


def _left(entry: Entry, **changed: Any) -> Entry | None:
    """An entry with these changes, if it says anything then."""
    left = replace(entry.checkpoint, **changed)
    return replace(entry, checkpoint=left) if left.name or left.was or left.inputs or left.cursors else None


def _superseded(entry: Entry, newest: Entry) -> bool:
    if epoch_of(entry.checkpoint) is not None:
        return entry.checkpoint.pipeline == newest.checkpoint.pipeline and epoch_of(newest.checkpoint) is not None
    if entry.mode == "append":
        return False
    return entry.mode == "replace" or newest.mode == "replace" or entry.checkpoint.pipeline == newest.checkpoint.pipeline


def _without(files: Sequence[InputFile], newer: Sequence[InputFile]) -> tuple[InputFile, ...]:
    again = set(newer)
    return tuple(f for f in files if f not in again)


def to_json(entry: Entry) -> dict[str, Any]:
    c = entry.checkpoint
    return {
        "name": f"{_WAS}{c.was}" if c.was else c.name,
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
    name = str(written["name"])
    return Entry(
        Checkpoint(
            "" if name.startswith(_WAS) else name,
            written["pipeline"],
            written["run"],
            datetime.fromisoformat(written["at"]),
            {source: tuple(InputFile(*file) for file in files) for source, files in written["inputs"].items()},
            {source: Position(position) for source, position in written["cursors"].items()},
            was=name.removeprefix(_WAS) if name.startswith(_WAS) else "",
        ),
        written["mode"],
    )
