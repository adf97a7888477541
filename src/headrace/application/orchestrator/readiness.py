"""What lies ready of a run: staged results, the outcome of the audit, and what they stand for, so that the run can be gone on with.

It is written into the run's workspace behind each durable stage, and counts only for the same plan and the same files. Not where
the files lie, nor who goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.increments import Work
from headrace.business.inside import StagedTable
from headrace.business.model.schema import Schema
from headrace.business.ports import FileDigest, InputFile, Staged
from headrace.business.processing.plan import Plan
from headrace.records import record

#: Since when a run has been going on that was never put back.
EVER = datetime.min.replace(tzinfo=UTC)


@record
class Ready:
    """The durable part of a run. `names` are what the publication to each sink will stand for, `cursors` how far each incremental
    source was read; `audited` says that every check was judged; what the run published from `since` on, it published of this."""

    work: Work
    staged: Mapping[str, Staged | StagedTable]
    names: Mapping[str, str]
    cursors: Mapping[str, str] = field(default_factory=dict)
    audited: bool = False
    since: datetime = EVER

    def to_note(self, plan: Plan) -> dict[str, Any]:
        """Paths are whole, because whoever goes on may have been started in another folder."""
        return {
            "pipeline": plan.definition.pipeline,
            "plan": plan.fingerprint,
            "audited": self.audited,
            "since": self.since.isoformat(),
            "names": dict(self.names),
            "cursors": dict(self.cursors),
            "work": {
                "files": {name: [asdict(f) for f in files] for name, files in self.work.files.items()},
                "cursors": dict(self.work.cursors),
                "sinks": [sink.name for sink in self.work.sinks],
                "more": self.work.more,
            },
            "staged": {name: _noted(s) for name, s in self.staged.items()},
        }

    def with_audit(self) -> Ready:
        return replace(self, audited=True)


def from_note(note: Mapping[str, Any] | None, plan: Plan) -> Ready | None:
    """What lies ready by a note; None when it is of another plan, or its files are not there any more as they were. Of tables in a
    database only their engine can say whether they are."""
    if note is None or note["plan"] != plan.fingerprint:
        return None
    staged: dict[str, Staged | StagedTable] = {}
    for name, found in note["staged"].items():
        there = _staged(found, plan.schema(name))
        if there is None:
            return None
        staged[name] = there
    looked_at = set() if note["audited"] else {name for c in plan.checks for name in (c.dataset, c.other) if name}
    if set(staged) != set(plan.staged) or not looked_at <= set(staged):
        return None
    work = note["work"]
    sinks = tuple(sink for sink in plan.sinks if sink.name in work["sinks"])
    files_of = {name: tuple(InputFile(**f) for f in files) for name, files in work["files"].items()}
    left, since = Work(files_of, work["cursors"], sinks, work["more"]), datetime.fromisoformat(note["since"])
    return Ready(left, staged, note["names"], note["cursors"], note["audited"], since)


def _noted(staged: Staged | StagedTable) -> dict[str, Any]:
    size = {"rows": staged.rows, "bytes": staged.bytes}
    if isinstance(staged, StagedTable):
        return {**size, "database": staged.database, "table": staged.table}
    digests = staged.digests
    return {**size, "files": {str(f.absolute()): asdict(digests[f]) if f in digests else None for f in staged.files}}


def _staged(found: Mapping[str, Any], schema: Schema) -> Staged | StagedTable | None:
    """What a note tells of; None when its files are not as they were."""
    rows, size = found["rows"], found["bytes"]
    if "table" in found:
        return StagedTable(found["database"], found["table"], schema, rows, size)
    digests = {Path(f): FileDigest(**digest) for f, digest in found["files"].items() if digest}
    files = tuple(map(Path, found["files"]))
    if not all(f.is_file() and (f not in digests or f.stat().st_size == digests[f].bytes) for f in files):
        return None
    return Staged(files, schema, rows, size, digests)
