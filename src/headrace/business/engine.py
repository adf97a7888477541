"""The port of an engine: what a run asks of it, in the order in which it asks. Not a word on SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headrace.business.inside import HeldInside, StagedTable
from headrace.business.model.types import DataType
from headrace.business.ports import InputFile, Scan, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.errors import Problem
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: Told now and then how far a long statement is, from 0 to 1, or None where that cannot be known.
Progress = Callable[[float | None], None]


@record
class RuleCount:
    """How many rows broke a rule, and what happens to them."""

    rule: str
    version: str
    action: str
    rows: int
    columns: tuple[str, ...] = ()
    """The columns of the data that the rule looks at."""


@record
class Example:
    """One row that broke a rule: where it stands, and what the data held there."""

    rule: str
    file: str
    record: int | None
    cells: Mapping[str, str | None]
    text: str | None = None


@record
class Ingested:
    """A source after reading and judging: `read = good + quarantined + dropped + filtered`.

    `broken` counts the rows that broke a rule with `on_violation: fail`; `filtered` those that an earlier run had read.
    """

    dataset: str
    read: int
    good: int
    quarantined: int
    dropped: int
    filtered: int
    broken: int
    rules: Sequence[RuleCount] = ()
    examples: Sequence[Example] = ()
    quarantine: Path | None = None
    files: tuple[InputFile, ...] = ()
    bytes: int = 0
    cursor: str | None = None
    """The highest value of the cursor column among the rows read, as text."""


@record
class Meeting:
    """Rows that a target holds, and how a dataset comes to them: not at all, or beside them, or, with a key, in the place of
    those that have the same."""

    held: Staged | HeldInside
    """Where it is as long as that is the engine's own database; else a copy."""
    joined: bool = True
    key: tuple[str, ...] = ()


@record
class QuarantineTarget:
    """Where the rows that are held back go, and what is written beside each."""

    path: Path
    pipeline: str
    run_id: str


@record
class Statement:
    """What an engine will run, for people to read."""

    title: str
    text: str


@record
class Limits:
    """The resources of a run."""

    memory: str | None = None
    threads: int | None = None
    temp_directory: Path | None = None
    temp: str | None = None
    """How much may spill to disk."""


class Session(Protocol):
    """One run on an engine. Everything it makes lives in its workspace until `close`."""

    def ingest(
        self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress
    ) -> Ingested: ...

    def prepare(self, progress: Progress) -> None:
        """Carry out what cannot be part of one statement: Python functions, shared results, keys that repeat."""
        ...

    def stage(self, dataset: str, folder: Path, progress: Progress) -> Staged | StagedTable:
        """Bring a result to rest: in files of the folder, or where the engine is at home."""
        ...

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        """Take a dataset as an earlier session has staged it, instead of making it."""
        ...

    def measure(self, dataset: str, measures: Mapping[str, Expr], meeting: Meeting | None = None) -> Mapping[str, Any]:
        """Aggregates over a dataset, in one pass; with a meeting over what comes of it and the rows that a target holds."""
        ...

    def count(self, datasets: Sequence[str]) -> Mapping[str, int]: ...

    def filtered_by_key(self) -> Mapping[str, int]:
        """For each step that drops rows with a repeated key and nothing else: how many."""
        ...

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Some rows of a dataset, by column name."""
        ...

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a source that broke rules: `record`, `reasons`, `action` and `cells`."""
        ...

    def interrupt(self) -> None:
        """Make the statement that is carried out raise `KeyboardInterrupt`; may be called from another thread."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class HandsOn(Protocol):
    """A session that can give away the rows of a result while it brings them to rest, in files."""

    def stage_handing_on(
        self, dataset: str, folder: Path, progress: Progress, take: Callable[[pa.RecordBatch], None]
    ) -> Staged: ...


class Engine(Protocol):
    """Reads, judges, transforms and stages rows; knows its dialect and its limits."""

    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Get ready beside other work, and return at once: a run follows for certain."""
        ...

    def infer(self, scan: Scan, columns: Sequence[str]) -> Mapping[str, DataType]:
        """The types that the texts in these columns seem to have, from a sample."""
        ...

    def statements(self, plan: Plan) -> Sequence[Statement]: ...

    def problems(self, plan: Plan) -> Iterable[Problem]:
        """What keeps this engine from carrying out a plan; asked before anything runs."""
        ...

    def notes(self, plan: Plan) -> Iterable[str]:
        """What is worth knowing of how it will carry out a plan: what is moved, and what stays where it is."""
        ...

    def verify(self, staged: Staged | StagedTable) -> None:
        """Raises `StagingLost` when what was staged is not any more what was written."""
        ...

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        """A run's work. Python functions are looked for from the project folder."""
        ...


@record
class Litter:
    """Something that a run left in a database: what it is, of which run, and how large."""

    what: str
    run: str
    bytes: int


@runtime_checkable
class KeepsTables(Protocol):
    """An engine that stages in tables of a database, where they outlive a session, and a process that dies."""

    def take_out(self, staged: StagedTable, folder: Path) -> Staged:
        """The same rows as files, for a sink that is elsewhere."""
        ...

    def discard(self, staged: Iterable[StagedTable]) -> None:
        """Drop what is published, or will never be."""
        ...

    def sweep(self, *, pretend: bool = False) -> Sequence[Litter]:
        """Drop what dead runs left and nobody can go on with; or only say what that is. What a living run uses, or a run can be gone on
        with from, stays."""
        ...
