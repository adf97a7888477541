"""Reads a source by cursor again and again, as the runs of a pipeline do, and keeps what each has passed on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace import bootstrap
from headrace.business.engine import Ingested, QuarantineTarget
from headrace.business.processing.increments import ReadUpTo
from headrace.testing.sessions import unwatched


class Runs:
    """The runs over one source. `position` is what the ledger of the target would hold."""

    def __init__(self, project: Path, source: Mapping[str, Any], incremental: Mapping[str, Any], **beside: Any) -> None:
        self.project = project
        self.written = {
            "version": 1,
            "pipeline": "p",
            "sources": {"t": {**source, "incremental": {"by": "cursor", **incremental}, **beside}},
        }
        self.position: str | None = None
        self.last: Ingested | None = None
        self.delivered: list[tuple[Any, ...]] = []

    def run(self) -> list[tuple[Any, ...]]:
        """The rows that one more run passes on."""
        plan = bootstrap.plan(bootstrap.build(self.written, {}, self.project))
        engine = bootstrap.engine(bootstrap.settings(self.project))
        session = engine.session(plan, self.project / "work", self.project)
        try:
            held = QuarantineTarget(self.project / "held.parquet", "p", "r")
            self.last = session.ingest(plan.sources[0], held, after=self.position, progress=unwatched)
            rows = [tuple(row.values()) for row in session.rows("t", 1_000_000)]
        finally:
            session.close()
        found = self.last
        assert found.read == found.good + found.quarantined + found.dropped + found.filtered
        assert len(rows) == found.good
        self.position = found.cursor
        self.delivered += rows
        return rows

    @property
    def known(self) -> int:
        """How many rows the position remembers."""
        return sum(ReadUpTo.of(self.position).known.values())
