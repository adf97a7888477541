"""The sink `duckdb`: a table of a DuckDB file, published in one transaction together with its ledger. Not the engine of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.business.streams.state import Outlet
from headrace.infrastructure.connectors import fences, milestones, table_publication
from headrace.infrastructure.connectors.duckdb_table import DuckDBTable, attach, duckdb_faults
from headrace.infrastructure.connectors.duckdb_types import type_in_duckdb
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.publishing import TableOptions, shown_path
from headrace.infrastructure.connectors.snapshots import cells, copied
from headrace.infrastructure.connectors.staged_rows import incoming_rows, reader
from headrace.infrastructure.duckdb_connection import Connection


class DuckDBSink(TableOptions):
    """A table of a DuckDB file. While it is published, no other process can open the file."""

    kind: ClassVar[str] = "duckdb"

    path: Annotated[str, Field(min_length=1, description="The DuckDB file; it is created when it is not there")]

    def target(self, project: Path) -> str:
        return f"{shown_path(project, self.path)} ({self.table})"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if self.table.count(".") > 1:
            yield f"`{self.table}` is not the name of a table: write `table` or `schema.table`"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change in one transaction"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._reading(project) as db:
            return checkpoints(db.ledger.read()) if db and db.columns() is not None else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with reader(Path(tempfile.gettempdir())) as con, self._writing(project, con):
            db = DuckDBTable(con, self.table)
            db.make_home()
            fences.admit(db.fences, pipeline, fence, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        path, shown = project / self.path, self.target(project)
        if not path.exists():
            return None
        with reader(folder) as con, duckdb_faults(shown):
            attach(con, path, read_only=True)
            db = DuckDBTable(con, self.table)
            there = db.columns()
            if there is None:
                return None
            known = {name: type_in_duckdb(kind) for name, kind in there.items()}
            return copied(con, f"SELECT {cells(known, columns)} FROM {db.table}{self.in_force}", columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        with self._reading(project) as there:
            if there and table_publication.needless(there, checkpoint, shown):
                return Publication(shown, already=True)
        with incoming_rows(staged, self.key) as con, duckdb_faults(shown):
            milestones.reached("about to publish")
            with self._writing(project, con):
                db = DuckDBTable(con, self.table, staged.schema.names)
                db.make_home()
                db.ledger.create()
                return table_publication.publish(db, self, staged, checkpoint, shown)

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        from headrace.infrastructure.connectors.streams.duckdb_outlet import OpenDuckDB
        from headrace.infrastructure.connectors.streams.table_outlet import TableOutlet

        shown = self.target(project)
        return TableOutlet(self, stream, schema, shown, OpenDuckDB(project / self.path, self, schema, shown))

    def stream_guarantee(self) -> str:
        return "exactly once: the rows of a checkpoint and its number change in one transaction, by which one that comes again is known"

    @contextmanager
    def _reading(self, project: Path) -> Iterator[DuckDBTable | None]:
        """What is there, unless there is no file yet."""
        path = project / self.path
        if not path.exists():
            yield None
            return
        with reader(Path(tempfile.gettempdir())) as con:
            attach(con, path, read_only=True)
            yield DuckDBTable(con, self.table)

    @contextmanager
    def _writing(self, project: Path, con: Connection) -> Iterator[None]:
        """A transaction on the file, which no one else has open. It counts unless something is raised in it."""
        path = project / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb_faults(self.target(project)):
            attach(con, path, read_only=False)
            con.execute("BEGIN")
            yield
            con.execute("COMMIT")
            milestones.reached("committed")
