"""What an engine that works inside a database shares with sources and sinks of the same database, so that no row leaves it.

A database is known by its *identity*: a text that two connections share when they reach the same database of the same server as
the same user, by whatever address. It holds no secrets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from headrace.business.model.schema import Schema
from headrace.business.ports import ArrowScan, Checkpoint, Publication, Staged
from headrace.records import record


@record
class DatabaseScan(ArrowScan):
    """A query of a database server, with exactly the columns of the schema. An engine that works in this database reads it where
    it is; every other takes the rows as Arrow."""

    database: str = ""
    query: str = ""


@record
class StagedTable:
    """A result at rest in a table inside a database, not yet published."""

    database: str
    table: str
    """Its name as SQL, with its schema."""
    schema: Schema
    rows: int
    bytes: int


@record
class HeldInside:
    """The rows that count in a target of a database, as a query there. Its columns are those of the schema, in types that hold every
    value of theirs, and can be cast to theirs."""

    database: str
    query: str
    schema: Schema


def places(staged: Staged | StagedTable) -> tuple[str, ...]:
    """Where it lies, in words for people."""
    return (staged.table.replace('"', ""),) if isinstance(staged, StagedTable) else tuple(map(str, staged.files))


@runtime_checkable
class PublishesInside(Protocol):
    """A publisher whose target is in a database in which an engine may have staged. It keeps to all that `Publisher` promises."""

    def lies_in(self, database: str) -> bool:
        """Whether the target is in the database of this identity."""
        ...

    def publish_inside(self, project: Path, staged: StagedTable, checkpoint: Checkpoint) -> Publication:
        """As `publish`, of rows that stay in the database."""
        ...

    def held_inside(self, columns: Schema) -> HeldInside | None:
        """What `Readable.snapshot` would copy, where it is. None where there is no target, and where only a copy has these types."""
        ...
