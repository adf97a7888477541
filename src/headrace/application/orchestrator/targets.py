"""Measures what targets hold, or will hold once a run is published, for checks that compare with them. It changes no target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.business.engine import Meeting, Session
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
    project: Path
    folder: Path
    holds: Callable[[PlannedSink], bool]

    def measure(self, target: PlannedTarget, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None:
        sink = next(s for s in self.plan.sinks if s.name == target.sink)
        if not needs_reading(sink.publisher, target):
            return self.session.measure(sink.dataset, measures)
        key: tuple[str, ...] = tuple(getattr(sink.publisher, "key", ()))
        held = self._snapshot(sink, {*key, *(c for e in measures.values() for c in e.columns())})
        if held is None:
            return None if target.when == "before" else self.session.measure(sink.dataset, measures)
        # A target that was reached before the run died would be given its rows twice.
        joined = target.when == "after" and not self.holds(sink)
        return self.session.measure(sink.dataset, measures, Meeting(held, joined, key))

    def _snapshot(self, sink: PlannedSink, wanted: set[str]) -> Staged | None:
        schema = self.plan.schema(sink.dataset)
        columns = [c for c in schema if c.name in wanted] or list(schema)[:1]
        folder = self.folder / sink.name
        folder.mkdir(parents=True, exist_ok=True)
        publisher = sink.publisher
        return publisher.snapshot(self.project, Schema(tuple(columns)), folder) if isinstance(publisher, Readable) else None


@dataclass(frozen=True, slots=True)
class NoTargets:
    """For runs that have no targets: what is published is all that will be there."""

    plan: Plan
    session: Session

    def measure(self, target: PlannedTarget, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None:
        sink = next(s for s in self.plan.sinks if s.name == target.sink)
        return None if target.when == "before" else self.session.measure(sink.dataset, measures)
