"""The sink `sqlite`: a table of an SQLite file, published in one transaction together with its ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.business.streams.state import Outlet
from headrace.infrastructure.connectors import fences, milestones, table_publication
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.publishing import TableOptions, shown_path
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.sqlite_source import SQLiteSource
from headrace.infrastructure.connectors.sqlite_table import SQLiteDatabase, SQLiteTable, refuse_nan, sqlite_faults
from headrace.infrastructure.connectors.staged_rows import incoming_rows
from headrace.infrastructure.sql_text import quoted, quoted_list


class SQLiteSink(TableOptions):
    """A table of an SQLite file."""

    kind: ClassVar[str] = "sqlite"

    path: Annotated[str, Field(min_length=1, description="The SQLite file; it is created when it is not there")]
    busy_seconds: Annotated[float, Field(ge=0)] = Field(30, description="How long to wait for others that write to the file")

    def target(self, project: Path) -> str:
        return f"{shown_path(project, self.path)} ({self.table})"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if "." in self.table:
            yield f"`{self.table}` is not the name of a table: SQLite has no schemas"
        if self.table.lower().startswith("sqlite_"):
            yield "names that begin with `sqlite_` belong to SQLite itself"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change in one transaction"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._reading(project) as db:
            return checkpoints(db.ledger.read()) if db and db.columns() is not None else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with self._writing(project) as con:
            fences.admit(SQLiteDatabase(con, self.table).fences, pipeline, fence, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        path = project / self.path
        if not path.exists():
            return None
        with sqlite_faults(self.target(project)), closing(self._connect(path, "ro")) as con:
            there = SQLiteDatabase(con, self.table).columns()
        if there is None:
            return None
        names = quoted_list(c for c in columns.names if c in there) or 'NULL AS "no column"'
        rows = SQLiteSource(path=self.path, query=f"SELECT {names} FROM {quoted(self.table)}{self.in_force}")
        return copied_arrow(rows.scan(project), columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        with self._reading(project) as db:
            if db and table_publication.needless(db, checkpoint, shown):
                return Publication(shown, already=True)
        with incoming_rows(staged, self.key) as rows:
            refuse_nan(rows, staged.schema)
            milestones.reached("about to publish")
            with self._writing(project) as con:
                table = SQLiteTable(con, self.table, rows, staged.schema, self.key)
                table.ledger.create()
                return table_publication.publish(table, self, staged, checkpoint, shown)

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        from headrace.infrastructure.connectors.streams.sqlite_outlet import OpenSQLite
        from headrace.infrastructure.connectors.streams.table_outlet import TableOutlet

        shown = self.target(project)
        return TableOutlet(
            self, stream, schema, shown, OpenSQLite(lambda: self._made(project / self.path), self, schema, shown)
        )

    def stream_guarantee(self) -> str:
        return "exactly once: the rows of a checkpoint and its number change in one transaction, by which one that comes again is known"

    @contextmanager
    def _reading(self, project: Path) -> Iterator[SQLiteDatabase | None]:
        """What is there, unless there is no file yet."""
        path = project / self.path
        if not path.exists():
            yield None
            return
        with sqlite_faults(self.target(project)), closing(self._connect(path, "ro")) as con:
            yield SQLiteDatabase(con, self.table)

    @contextmanager
    def _writing(self, project: Path) -> Iterator[sqlite3.Connection]:
        """A transaction that no one else writes beside. It counts unless something is raised in it."""
        with sqlite_faults(self.target(project)), closing(self._made(project / self.path)) as con:
            con.execute("BEGIN IMMEDIATE")
            yield con
            con.execute("COMMIT")
            milestones.reached("committed")

    def _made(self, path: Path) -> sqlite3.Connection:
        """A connection to write by; the file is made when it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ours = not path.exists()
        con = self._connect(path, "rwc")
        if ours:
            con.execute("PRAGMA journal_mode = WAL")  # readers go on reading while rows come in
        return con

    def _connect(self, path: Path, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
