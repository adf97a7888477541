"""A plan: what a run will do, known in full before it does anything. Pure: what the sources look like is handed in.

Building it finds every mistake in rules, steps, checks and sinks at once, and fixes what flows over each edge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import timedelta

from headrace.business.model.definition import Definition
from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Check, Plugin, Publisher, Scan, When
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.increments import Newest
from headrace.business.processing.relation import Dataset, Filter, Project, Relation, Rows
from headrace.business.validation.compiled import CompiledContract
from headrace.records import record


@record
class Resolved:
    """What a source turned out to be: how to read it, the types guessed for its columns, and what there is to notice."""

    scan: Scan
    inferred: Mapping[str, DataType] = field(default_factory=dict)
    origin: str = ""
    notes: Sequence[str] = ()


@record
class PlannedSource:
    """A dataset that comes in: how it is read, how it is judged, and which of its columns anything needs afterwards."""

    name: str
    kind: str
    origin: str
    scan: Scan
    contract: CompiledContract
    needed: frozenset[str]
    cursor: str | None = None
    lag: timedelta | int = timedelta()
    """How far behind the highest cursor value rows may still come."""
    newest: Newest = "take"
    identity: tuple[str, ...] = ()
    """The columns that tell rows apart, where the contract has a key; all of them otherwise."""
    remembers: bool = False
    """Whether the source itself keeps how far it was read."""

    @property
    def schema(self) -> Schema:
        return self.contract.schema

    @property
    def resumes(self) -> bool:
        """Whether a run begins where the one before ended, which the targets keep as a position."""
        return self.cursor is not None or self.remembers

    @property
    def columns_read(self) -> frozenset[str]:
        """The columns of the data that are read: all of them where a row may be held back, because it is kept as it came,
        and where rows are told apart that a cursor does not."""
        if self.contract.everything or self.cursor:
            return frozenset(self.contract.raw_columns)
        return frozenset(cell.source for cell in self.contract.cells if cell.column.name in self.needed)


@record
class PlannedStep:
    name: str
    kind: str
    relation: Relation

    @property
    def schema(self) -> Schema:
        return self.relation.schema

    @property
    def rows(self) -> Rows:
        """What the step may do to the number of rows of its (first) input."""
        kinds = {node.rows for node in self.relation.walk()}
        return (
            "any"
            if "any" in kinds or (len(self.relation.datasets()) > 1 and "fewer" in kinds)
            else "fewer"
            if "fewer" in kinds
            else "same"
        )

    @property
    def cheap(self) -> bool:
        """Whether it is cheaper to compute it twice than to keep it: only row by row, nothing looked up."""
        return all(isinstance(node, Project | Filter | Dataset) for node in self.relation.walk())


@record
class PlannedTarget:
    """What a check compares with when it is the target of a sink: by the sink's name, and in which state."""

    sink: str
    when: When


@record
class PlannedCheck:
    name: str
    kind: str
    dataset: str
    check: Check
    measures: Mapping[str, Expr]
    other: str | None = None
    """The dataset that it compares with; when that is a target, the one that the sink publishes."""
    other_measures: Mapping[str, Expr] = field(default_factory=dict)
    target: PlannedTarget | None = None

    @property
    def version(self) -> str:
        """A short fingerprint of what is measured; earlier measures count only if they have the same."""
        text = json.dumps([self.kind, sorted((n, repr(e)) for n, e in self.measures.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@record
class PlannedSink:
    name: str
    kind: str
    dataset: str
    publisher: Publisher


@record
class Plan:
    """What a run will do."""

    definition: Definition
    sources: tuple[PlannedSource, ...]
    """In the order in which they are read: those that others refer to come first."""
    steps: tuple[PlannedStep, ...]
    checks: tuple[PlannedCheck, ...]
    sinks: tuple[PlannedSink, ...]
    notes: tuple[str, ...] = ()

    @property
    def endless(self) -> bool:
        """Whether it is a stream: a source of it has no end."""
        return any(not source.scan.bounded for source in self.sources)

    def schema(self, dataset: str) -> Schema:
        return next(part.schema for part in self.parts if part.name == dataset)

    @property
    def parts(self) -> tuple[PlannedSource | PlannedStep, ...]:
        """Everything that is a dataset: sources, then steps."""
        return (*self.sources, *self.steps)

    @property
    def staged(self) -> tuple[str, ...]:
        """The datasets that are written out, each once, in an order in which each can be read by the next."""
        wanted = {sink.dataset for sink in self.sinks} or {self.definition.last or self.sources[-1].name}
        return tuple(part.name for part in self.parts if part.name in wanted)

    @property
    def shared(self) -> tuple[str, ...]:
        """The steps whose result several others read, and which are therefore computed once and kept."""
        readers: dict[str, int] = {}
        for step in self.steps:
            for name in step.relation.datasets():
                readers[name] = readers.get(name, 0) + 1
        kept = set(self.staged)
        return tuple(s.name for s in self.steps if readers.get(s.name, 0) > 1 and s.name not in kept and not s.cheap)

    @property
    def fingerprint(self) -> str:
        """Two plans with the same fingerprint do the same to the same data."""
        return fingerprint(self.definition, {s.name: [str(c) for c in s.schema] for s in self.sources})

    def edges(self) -> Iterator[tuple[str, str]]:
        """From whom to whom rows flow: sources and steps to steps and sinks."""
        for step in self.steps:
            for name in step.relation.datasets():
                yield name, step.name
        for sink in self.sinks:
            yield sink.dataset, f"sink {sink.name}"


_NOT_ABOUT_DATA = (
    "description",
    "tests",
    "schedule",
    "triggers",
    "notify",
    "priority",
    "slots",
    "concurrency",
    "retry",
    "timeout",
)


def fingerprint(definition: Definition, schemas: Mapping[str, Sequence[str]]) -> str:
    """A hash of what the definition does to data: what it says to people and when it runs left out, what the data look like put in."""
    meaning = definition.model_dump(mode="json", by_alias=True, exclude={*_NOT_ABOUT_DATA}, exclude_none=True)
    return hashlib.sha256(json.dumps([meaning, schemas], sort_keys=True, default=str).encode()).hexdigest()[:16]


def publisher_of(plugin: Plugin) -> Publisher | None:
    return plugin if isinstance(plugin, Publisher) else None
