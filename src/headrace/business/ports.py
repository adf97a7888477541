"""The ports: what Headrace asks of a source, a step, a check, a sink and an engine. Not one line of how any of them does it.

A plugin is a frozen Pydantic model whose fields are its options; from that one declaration come the parser of definitions,
their validation, the JSON Schema and the reference pages. Making one does no I/O. Relative paths are meant from the
`project` folder, the one that holds the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NewType, Protocol, runtime_checkable

from headrace.business.model.plugin import Plugin as Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.own_position import OwnPosition
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.business.target import Target
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: An opaque resume token: only the source that made it can read it.
Position = NewType("Position", str)


#: The column that says which file of a scan a row came from. No column of data may have this name.
PROVENANCE = "_file"


# Reading -------------------------------------------------------------------------------------------------------------


@record
class Batch:
    """Arrow rows on their way, with the position that follows them: `read(partition, after=position)` goes on behind them."""

    rows: pa.RecordBatch
    position: Position


@runtime_checkable
class Source(Protocol):
    """Where rows come from. Called by the engine, one partition at a time; leaving the generator closes what was opened.

    For every cut, the rows after it are the rows that `read(partition, position)` gives. `RetryableError` is tried again.
    """

    bounded: ClassVar[bool]

    def partitions(self, project: Path) -> Sequence[str]: ...

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]: ...

    def schema_of(self, project: Path) -> Schema: ...


@record
class InputFile:
    """A file that a run reads: where it is, how large, when changed, and its content hash where that decides what was loaded."""

    path: str
    """Where it is read. Of a file that lies in a store elsewhere this is its copy on this machine, which may have to be fetched."""
    bytes: int
    modified_ns: int
    sha256: str | None = None
    version: str | None = None
    """What its store calls this state of it, such as an entity tag: where there is one, nobody has to read it for a hash."""
    address: str | None = None
    """Where it lies, when that is in a store elsewhere."""

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.address or self.path

    @property
    def state(self) -> str | None:
        """What tells this state of the file from any other."""
        return self.sha256 or self.version


class Fetch(Protocol):
    """Brings files from their store to their `path`, whole and as they were listed. Of files that keep columns apart it may leave
    out the content of all but these. What it brought already is not brought again. Raises `RetryableError` when a file has changed."""

    def __call__(self, files: Sequence[InputFile], columns: Collection[str]) -> None: ...


@record
class Scan:
    """What an engine can read by itself: columns by the names that the data give, in order, and their types there.

    In a `text` scan every column is text as it stands in the file, to be cast with a verdict for each cell. `notes` are facts
    worth telling the user, such as columns that had to be renamed.
    """

    schema: Schema
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    by_cursor: Callable[[str, str | None], Scan | None] | None = field(default=None, kw_only=True, compare=False, repr=False)
    """`(column, value) -> scan` of the rows whose column is not below the value (when there is one), null or infinite, and below which
    no other can come any more. Values compare as the scan's type does, texts by bytes. None when it cannot be asked so."""
    own_position: OwnPosition | None = field(default=None, kw_only=True, compare=False, repr=False)
    disordered: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Columns that come as text because no type of ours holds their values, and whose text does not sort as they do."""
    text: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    """Whether it comes to an end."""


@record
class Folders:
    """Columns that stand in the names of folders, such as `month=1`: their types by all their values, and the values of each file."""

    columns: tuple[Column, ...]
    values: Mapping[str, tuple[str | None, ...]]
    """By the path of the file, in the order of the columns."""


@record
class FileScan(Scan):
    files: tuple[InputFile, ...]
    folders: Folders | None = field(default=None, kw_only=True)
    """Its columns come last in the schema; they are in no file."""
    fetch: Fetch | None = field(default=None, kw_only=True, compare=False, repr=False)
    """To be called before the rows are read; None for files of this machine."""


@record
class Tidied:
    """What came of copying the readable records of a text file into a form that every reader reads alike: UTF-8, one line end,
    no preamble. `rejects` is a file of JSON lines `{record, text, reason, message}`; records count from 1, the rejected too."""

    path: Path
    rejects: Path
    records: int
    rejected: int
    longest: int
    """The length of the longest record, in bytes."""


class Tidy(Protocol):
    """Copies the readable records of a file into a folder, slowly and surely: for files that an engine cannot be trusted with.
    As a sample, only those at its start."""

    def __call__(self, file: InputFile, folder: Path, *, sample: bool = False) -> Tidied: ...


@record
class Head:
    """What a look at the start of a delimited file showed."""

    names: tuple[str, ...]
    """The column names, made unique."""
    preamble: int = 1
    """How many lines stand before the first record."""
    newline: Literal["\n", "\r\n"] = "\n"
    plain: bool = True
    """Whether an engine may try to read the file by itself; otherwise it has to be tidied."""
    line_bytes: int = 0
    """How long the first lines are on average; 0 when that is not known."""


@record
class DelimitedScan(FileScan):
    """Delimited text (RFC 4180 and its many relatives). The schema is the union of the columns of all files, by name."""

    text: ClassVar[bool] = True
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    encoding: str = "utf-8"
    heads: Mapping[str, Head] = field(default_factory=dict)
    """The head of each file, by its path."""
    tidy: Tidy | None = field(default=None, compare=False, repr=False)


@record
class JsonScan(FileScan):
    """JSON: one object per line, an array of objects, or one object. Scalars arrive as text, nested values as JSON text."""

    text: ClassVar[bool] = True
    keys: tuple[str, ...] = ()
    """The key in the objects of each column, in the order of the schema."""
    plain: frozenset[str] = frozenset()
    """The paths of the files that an engine may read by itself; the others have to be tidied into lines of text values."""
    tidy: Tidy | None = field(default=None, compare=False, repr=False)


@record
class ParquetScan(FileScan):
    """Parquet files, joined by column name. With `all_text`, their columns are texts to be cast, as in a text scan."""

    all_text: bool = False


@record
class ArrowFileScan(FileScan):
    """Files that are read into Arrow one by one. With `all_text`, all columns are text to be cast."""

    open: Callable[[InputFile], Iterator[pa.RecordBatch]] = field(kw_only=True, compare=False, repr=False)
    """Reads a file anew; its batches have the columns of the schema, in order."""
    all_text: bool = field(default=False, kw_only=True)


@record
class DuckDBScan(Scan):
    """A query on a DuckDB file, which is opened read-only and only while its rows are taken. It names tables as that file does,
    was checked to be a single SELECT, and has exactly the columns of the schema."""

    path: str
    query: str


@record
class ArrowScan(Scan):
    """Anything that comes as Arrow. `open` starts reading anew each time; `origin` names it in quarantine and errors.

    With `all_text`, all columns are text to be cast.
    """

    open: Any = None
    """`() -> Iterator[pyarrow.RecordBatch]`"""
    origin: str = ""
    all_text: bool = False
    files: tuple[InputFile, ...] = ()


@runtime_checkable
class Format(Protocol):
    """How rows are written in files: a model whose fields are its options, so that any source of files can use any format.

    `scan` looks at the files, reads no more of them than it needs for the schema, and does not keep them open.
    """

    suffixes: ClassVar[tuple[str, ...]]
    """The ends of file names that suggest it, with the dot; a further one for the compression may follow."""

    def scan(self, files: Sequence[InputFile]) -> Scan: ...


@runtime_checkable
class Scannable(Protocol):
    """A source that an engine can read natively. `scan` may look at files and catalogues, but reads no rows except to infer types."""

    def scan(self, project: Path) -> Scan: ...


# Steps and checks ----------------------------------------------------------------------------------------------------


@runtime_checkable
class Step(Protocol):
    """What happens to rows. Called while planning, never with rows: it says what should come out, the engine does it.

    `inputs` maps names to datasets; the one that the step stands behind is under `"input"`. Raises `DefinitionError` whose
    problems have paths relative to the step's options.
    """

    kind: ClassVar[str]

    def apply(self, inputs: Mapping[str, Relation]) -> Relation: ...


Outcome = Literal["pass", "fail", "error", "learning", "skipped"]


@record
class Verdict:
    """What became of a check: the outcome, what was observed, what was expected, both in words."""

    outcome: Outcome
    observed: str
    expected: str
    values: Mapping[str, Any] = field(default_factory=dict)


@record
class Measured:
    """What a check may look at: its own measures, those of earlier runs (oldest first), and the time that the run is for.

    Only runs that were published are history. Times have a zone; that of a run over old data is the time of those data.
    """

    values: Mapping[str, Any]
    history: Sequence[tuple[datetime, Mapping[str, Any]]]
    now: datetime


@runtime_checkable
class Check(Protocol):
    """What a whole dataset must be like. `measures` are aggregates over the staged data, so one pass serves all checks;
    `judge` turns the values into a verdict and does no I/O."""

    on_fail: Literal["block", "warn"]

    def measures(self, schema: Schema) -> Mapping[str, Expr]: ...

    def judge(self, measured: Measured) -> Verdict: ...


#: Of a target: what it holds before the rows of a run come to it, or what it will hold after.
When = Literal["before", "after"]


@runtime_checkable
class Comparing(Protocol):
    """A check that looks at another dataset as well, or at the target of a sink: `other` names it. What it measures there comes to
    `judge` beside its own measures, so the names must differ. Of a target that does not exist nothing is measured."""

    @property
    def other(self) -> str: ...

    @property
    def of_target(self) -> When | None:
        """Which state of a target is meant; None when the options do not say, which for a dataset they must not."""
        ...

    def other_measures(self, schema: Schema) -> Mapping[str, Expr]: ...


# Publishing ----------------------------------------------------------------------------------------------------------


@record
class FileDigest:
    """What a file holds, in short: its SHA-256 in hexadecimal, and its size."""

    sha256: str
    bytes: int


@record
class Staged:
    """A result at rest, not yet published: Parquet files, their schema, rows and bytes."""

    files: tuple[Path, ...]
    schema: Schema
    rows: int
    bytes: int
    digests: Mapping[Path, FileDigest] = field(default_factory=dict)
    """Of the files whose content hash is known already, so that a sink need not read them for it."""


@record
class Fence:
    """The right to publish. Tokens of one issuer grow: whoever takes a run over holds a higher one than whoever had it before,
    and a sink refuses a token below the highest that it has seen of this issuer for the pipeline."""

    issuer: str
    """A state database; or `database/run`, where runs of the pipeline may go on beside each other."""
    token: int


@record
class Checkpoint:
    """What a publication stands for. The name is derived from the data (pipeline, plan, parameters, inputs), never from the
    run, so a publication repeated after a crash, by whomever and from whatever disk, is recognised."""

    name: str
    pipeline: str
    run_id: str
    at: datetime
    inputs: Mapping[str, Sequence[InputFile]] = field(default_factory=dict)
    """The files that went in, by source."""
    cursors: Mapping[str, Position] = field(default_factory=dict)
    """How far each incremental source was read."""
    fence: Fence | None = None
    """By what right it is published. It says nothing about the data, so ledgers need not give it back."""
    was: str = ""
    """In a ledger: the name of an entry whose state another publication has changed since. It has no `name` any more, so the state
    may be published again; by `was` a run that died right behind its publication learns that it had published."""


@record
class Publication:
    """What a publication did to its target."""

    target: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    already: bool = False
    """The checkpoint was there before: nothing was changed."""
    files: tuple[str, ...] = ()


@runtime_checkable
class Publisher(Target, Protocol):
    """A sink that takes a staged result as a whole. Its ledger of checkpoints lives with the target and changes in the same
    atomic act as the rows, so that a reader never sees a partial table and nothing is ever published twice."""

    def guarantee(self) -> str:
        """What a reader can count on, and why, in one sentence."""
        ...

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        """The checkpoints published by any pipeline so far, oldest first; empty when the target does not exist."""
        ...

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        """Make the staged rows count, once, all or nothing. Does nothing but say `already` when the ledger has the checkpoint."""
        ...


@runtime_checkable
class Fenced(Protocol):
    """A publisher that whoever lost its lease cannot get past. Its `publish` raises `LeaseLost` when a higher token than the
    checkpoint's is known here, and otherwise makes the checkpoint's token known, in the same atomic act in which it publishes.

    This comes before the ledger is asked: also who wants to publish what is there already learns that its lease is lost. A
    checkpoint without a fence is never refused, and forgets none.
    """

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        """From now on refuse publications of this pipeline by a smaller token of this issuer. Changes nothing that readers see.

        Called by a run that takes over another's work, before anything else; the target need not exist. Raises `LeaseLost` when
        a higher token is known, and `RetryableError` when a publication is under way and does not end in time.
        """
        ...


@runtime_checkable
class Readable(Protocol):
    """A publisher that can say what its target holds, for checks that compare with it."""

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        """Copy the rows that count in the target now, of scd2 the versions in force, to Parquet in the folder: these columns, in
        these types, null where the target lacks one. None when there is no target."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Where rows go, for plugins that take batches: `write` stages, only `commit` makes rows count; twice is harmless."""

    def write(self, batch: Batch) -> None: ...

    def commit(self, checkpoint: Checkpoint) -> None: ...
