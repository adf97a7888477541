"""The port of lake tables: what publishing asks of Delta and of Iceberg. Not one line of how either does it.

A table is opened at one version. Whatever changes it is committed on the condition that nobody of us has published since; then readers
have the new version at once, and what the table remembers (see `remembered`) with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Fence
from headrace.errors import RetryableError
from headrace.infrastructure.connectors.fence_file import Tokens
from headrace.infrastructure.connectors.lakes.exchange import Exchange
from headrace.infrastructure.connectors.lakes.remembered import Remembered
from headrace.infrastructure.foreign_types import arrow_type
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


class Conflict(RetryableError):
    """Somebody else changed the table between our look at it and our commit. Nothing of ours counts; looking anew helps."""


@record
class Commit:
    """What goes with a change: the schema that the table will have, what it will remember, and notes for people in its history."""

    schema: Schema
    remembered: Remembered
    notes: dict[str, str]

    @property
    def arrow(self) -> pa.Schema:
        return arrow_schema(self.schema)


def arrow_schema(schema: Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(c.name, arrow_type(c.type)) for c in schema])


@record
class Within:
    """Rows whose value of a column lies from `least` to `greatest`, both as text. It leaves out as many others as a table can tell."""

    column: str
    least: str
    greatest: str


class LakeTable(Protocol):
    """One version of a table. Each change is one commit, and raises `Conflict` when the table is no longer as it was opened."""

    @property
    def schema(self) -> Schema: ...

    @property
    def remembered(self) -> Remembered: ...

    def count(self) -> int:
        """How many rows it has."""
        ...

    def rows(self, columns: Sequence[str], within: Within | None = None) -> pa.RecordBatchReader:
        """The rows of this version, of these columns, as a stream in no order; with `FILE` behind them, if an exchange asks for files."""
        ...

    def append(self, rows: pa.RecordBatchReader, commit: Commit) -> None: ...

    def replace(self, rows: pa.RecordBatchReader, commit: Commit) -> None: ...

    def exchange(self, changes: Exchange, commit: Commit) -> None: ...

    def note(self, commit: Commit) -> None:
        """Change nothing that readers see, but what it remembers."""
        ...


class Lake(Protocol):
    """Where a table is, or will be."""

    def open(self) -> LakeTable | None:
        """The newest version; None when there is no table."""
        ...

    def create(self, commit: Commit) -> None:
        """Make a table without rows. Raises `Conflict` when there is one."""
        ...

    def stored(self, kind: DataType) -> DataType:
        """The type that a column gets for values of `kind`, which holds all of them. Raises `ValueError` that says why there is none."""
        ...

    def tokens_beside(self) -> Tokens:
        """Who may publish, by what is kept outside of the table: it is there before the table, and stays when somebody drops it."""
        ...

    def remember_beside(self, pipeline: str, fence: Fence) -> None:
        """Keep a token there. What others keep at the same time is not lost."""
        ...
