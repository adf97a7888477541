"""Measures what targets hold, or will hold once a run is published, for checks that compare with them. It changes no target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.business.engine import Meeting, Session
from headrace.business.inside import HeldInside, PublishesInside, StagedTable
from headrace.business.model.schema import Schema
from headrace.business.ports import Readable, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSink, PlannedTarget
from headrace.business.validation.comparing import needs_reading


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of a run that is staged and not yet published. `holds` says whether a target has the rows of this run already."""

    plan: Plan
    session: Session
    staged: Mapping[str, Staged | StagedTable]
    project: Path
    folder: Path
    holds: Callable[[PlannedSink], bool]

    def measure(self, target: PlannedTarget, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None:
        sink = next(s for s in self.plan.sinks if s.name == target.sink)
        if not needs_reading(sink.publisher, target):
            return self.session.measure(sink.dataset, measures)
        key: tuple[str, ...] = tuple(getattr(sink.publisher, "key", ()))
        held = self._held(sink, {*key, *(c for e in measures.values() for c in e.columns())})
        if held is None:
            return None if target.when == "before" else self.session.measure(sink.dataset, measures)
        # A target that was reached before the run died would be given its rows twice.
        joined = target.when == "after" and not self.holds(sink)
        return self.session.measure(sink.dataset, measures, Meeting(held, joined, key))

    def _held(self, sink: PlannedSink, wanted: set[str]) -> Staged | HeldInside | None:
        """Where the rows are staged beside the target, nothing of it is copied."""
        schema, publisher, staged = self.plan.schema(sink.dataset), sink.publisher, self.staged[sink.dataset]
        columns = Schema(tuple([c for c in schema if c.name in wanted] or list(schema)[:1]))
        if isinstance(staged, StagedTable) and isinstance(publisher, PublishesInside) and publisher.lies_in(staged.database):
            inside = publisher.held_inside(columns)
            if inside is not None:
                return inside
        folder = self.folder / sink.name
        folder.mkdir(parents=True, exist_ok=True)
        return publisher.snapshot(self.project, columns, folder) if isinstance(publisher, Readable) else None


@dataclass(frozen=True, slots=True)
class NoTargets:
    """For runs that have no targets: what is published is all that will be there."""

    plan: Plan
    session: Session

    def measure(self, target: PlannedTarget, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None:
        sink = next(s for s in self.plan.sinks if s.name == target.sink)
        return None if target.when == "before" else self.session.measure(sink.dataset, measures)
