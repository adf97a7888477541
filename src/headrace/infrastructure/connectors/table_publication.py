"""Publishes staged rows to a table of a database, the same way for each: in one transaction that also writes the ledger.

What a database does in its own way, `TableDatabase` asks of it. Not the modes' statements (see `merge_sql`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from headrace.business.inside import StagedTable
from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Checkpoint, Publication
from headrace.errors import NonRetryableError, StagingLost
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.evolution import added_columns
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.fences import admit, is_news
from headrace.infrastructure.connectors.history import history_columns, missing_history, too_late
from headrace.infrastructure.connectors.ledger import holds
from headrace.infrastructure.connectors.ledger_table import LedgerTable, Statements
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.sql_text import quoted, quoted_list

#: The longest name that every database takes, in bytes.
LONGEST_NAME = 63


class Result(Protocol):
    """The rows that are to come into a table."""

    @property
    def schema(self) -> Schema: ...

    @property
    def rows(self) -> int:
        """How many they are; asked when they have arrived."""
        ...


class PublishedTable(Statements, Protocol):
    """One table of a database and what is remembered of its publications, inside a transaction. All names are written as SQL."""

    table: str
    ledger: LedgerTable
    fences: FenceTable

    def columns(self) -> Mapping[str, Any] | None:
        """The columns of the table with their types in the database's words; None when there is no table."""
        ...


class TableDatabase(PublishedTable, Protocol):
    """One table of a database that can be changed."""

    distinct: str
    """How to ask whether two values differ, when nulls are equal."""
    defining_commits: bool
    """Whether a statement that defines something commits what came before it. Then there must be nothing yet that counts."""

    @property
    def merging(self) -> Callable[..., Merge]:
        """What makes the statements of the mode merge, as the database understands them, of what `Merge` takes."""
        ...

    @property
    def versioning(self) -> Callable[..., History]:
        """The same of `History`, for scd2."""
        ...

    def accepts(self, there: Any, kind: DataType) -> bool:
        """Whether a column of the type `there` takes every value of `kind`."""
        ...

    def type_of(self, kind: DataType) -> str: ...

    def instant(self, checkpoint: Checkpoint) -> str:
        """The time of a publication as a value."""
        ...

    def load(self) -> int:
        """Insert all staged rows into the table; how many they were."""
        ...

    def stage(self) -> str:
        """The staged rows as a table or view that statements can join."""
        ...

    def create_index(self, name: str, columns: Iterable[str]) -> None: ...


def publish(db: TableDatabase, options: TableOptions, staged: Result, checkpoint: Checkpoint, target: str) -> Publication:
    """Bring the rows into the table. The caller opens the transaction and commits it, with nobody else publishing meanwhile."""
    admit(db.fences, checkpoint.pipeline, checkpoint.fence, target)
    there = db.columns()
    if there is None:
        db.ledger.clear()
    elif holds(db.ledger.read(), checkpoint):
        return Publication(target, already=True)
    shape(db, options, staged.schema, there, target)
    if db.defining_commits:
        _index(db, options, (*options.indexes, *([options.key] if options.key else ())))
    milestones.reached("table ready")
    done = _bring_in(db, options, staged, checkpoint, target)
    milestones.reached("rows written")
    if not db.defining_commits:
        _index(db, options, options.indexes)  # faster when the rows are there
    db.ledger.extend(checkpoint, options.mode)
    milestones.reached("ledger written")
    return done


def needless(db: PublishedTable, checkpoint: Checkpoint, target: str) -> bool:
    """Whether there is nothing to publish and no token to remember: found out by reading alone, so that nothing is touched."""
    held = db.columns() is not None and holds(db.ledger.read(), checkpoint)
    # The fences come second: whoever lost its lease before the ledger was read is found out.
    return not is_news(db.fences, checkpoint.pipeline, checkpoint.fence, target) and held


def shape(db: TableDatabase, options: TableOptions, schema: Schema, there: Mapping[str, Any] | None, target: str) -> None:
    """Create the table, or let it grow. What the rows do not fit is refused first; where all is as it should be nothing is run."""
    if there is None:
        wanted = (*schema, *history_columns(options, ()))
        columns = ", ".join(f"{quoted(c.name)} {db.type_of(c.type)}" for c in wanted)
        db.run(f"CREATE TABLE {db.table} ({columns})")
        return
    added, history = added_columns(target, there, schema, db.accepts), history_columns(options, there)
    if history and db.rows(f"SELECT 1 FROM {db.table} LIMIT 1"):
        raise missing_history(target, history)
    for column in (*added, *history):
        db.run(f"ALTER TABLE {db.table} ADD COLUMN {quoted(column.name)} {db.type_of(column.type)}")


def _index(db: TableDatabase, options: TableOptions, indexes: Iterable[Sequence[str]]) -> None:
    for columns in indexes:
        db.create_index(index_name(options.table, columns), columns)


def _bring_in(db: TableDatabase, options: TableOptions, staged: Result, checkpoint: Checkpoint, target: str) -> Publication:
    if options.mode in ("append", "replace"):
        deleted = db.run(f"DELETE FROM {db.table}") if options.mode == "replace" else 0
        return Publication(target, inserted=_complete(db.load(), staged), deleted=deleted)
    incoming = db.stage()
    _complete(int(db.rows(f"SELECT count(*) FROM {incoming}")[0][0]), staged)
    names = staged.schema.names
    if options.mode == "merge":
        merge = db.merging(db.table, incoming, names, options.key, db.distinct)
        done = merged(db, merge, target)
        return replace(done, unchanged=staged.rows - done.inserted - done.updated)
    history = db.versioning(db.table, incoming, names, options.key, db.distinct, db.instant(checkpoint), *options.history)
    if db.rows(history.count_later())[0][0]:
        raise too_late(target, checkpoint.at)
    return _versions(db, history, staged.rows, target, close=options.deleted == "close")


def merged(db: TableDatabase, merge: Merge, target: str) -> Publication:
    """Update the rows that differ, and insert those whose keys are new."""
    updated = int(db.rows(merge.count_changed())[0][0])
    if (whole := merge.at_once()) is not None:
        return Publication(target, int(db.rows(whole)[0][0]), updated)
    if updated and (statement := merge.update_changed()):
        db.run(statement)
    inserted = db.run(merge.insert_new())
    return Publication(target, inserted, updated)


def _versions(db: TableDatabase, history: History, rows: int, target: str, *, close: bool) -> Publication:
    updated = int(db.rows(history.count_changed())[0][0])
    closed = db.run(history.close_missing()) if close else 0
    if updated:
        db.run(history.close_changed())
    inserted = db.run(history.insert_versions()) - updated
    return Publication(target, inserted, updated, closed, rows - inserted - updated)


def _complete(loaded: int, staged: Result) -> int:
    if loaded != staged.rows:
        if isinstance(staged, StagedTable):
            hint = "run the pipeline again: the server was restarted, or somebody changed the table"
            raise StagingLost(f"{staged.rows} rows were staged in {staged.table}, but {loaded} are there", hint=hint)
        raise NonRetryableError(f"{staged.rows} rows were staged, but {loaded} reached the table; nothing was published")
    return loaded


def index_name(table: str, columns: Iterable[str]) -> str:
    """A name that says what the index is for, is never too long, and is another for each table and list of columns."""
    names = [*table.split("."), *columns]
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    readable = "_".join(names).encode()[: LONGEST_NAME - len(digest) - 1].decode(errors="ignore")
    return f"{readable}_{digest}"


def create_index_sql(name: str, table: str, columns: Iterable[str]) -> str:
    return f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({quoted_list(columns)})"
