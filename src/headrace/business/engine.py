"""The port of an engine: what a run asks of it, in the order in which it asks. Not a word on SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from headrace.business.model.types import DataType
from headrace.business.ports import InputFile, Scan, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.records import record

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

    held: Staged
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

    def stage(self, dataset: str, folder: Path, progress: Progress) -> Staged: ...

    def adopt(self, dataset: str, staged: Staged) -> None:
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

    def verify(self, staged: Staged) -> None:
        """Raises when what was staged is not any more what was written."""
        ...

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        """A run's work. Python functions are looked for from the project folder."""
        ...
