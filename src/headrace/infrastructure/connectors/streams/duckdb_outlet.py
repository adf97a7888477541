"""Takes the epochs of a stream into a table of a DuckDB file. The file is open while an epoch comes in, and free for others in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.infrastructure.connectors.duckdb_table import DATABASE, DuckDBTable, attach, duckdb_faults
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.staged_rows import INCOMING, define_arrived, reader
from headrace.infrastructure.connectors.streams import stream_table
from headrace.infrastructure.connectors.streams.stream_table import StreamTable
from headrace.infrastructure.connectors.table_publication import merged
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class OpenDuckDB:
    """A DuckDB in memory, to which the file is attached for each transaction."""

    path: Path
    options: TableOptions
    schema: Schema
    shown: str
    _con: Connection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def transaction(self, rows: pa.Table | None = None) -> Iterator[_EpochTable]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb_faults(self.shown), ExitStack() as unless_committed:
            unless_committed.callback(self.close)
            if self._con is None:
                self._con = self._open.enter_context(reader(Path(gettempdir())))
            con = self._con
            attach(con, self.path, read_only=False)
            con.execute("BEGIN")
            if rows is not None:
                define_arrived(con, rows, self.schema)
            db = _EpochTable(con, self.options.table, self.schema.names, key=self.options.key, shown=self.shown)
            db.make_home()
            yield db
            con.execute("COMMIT")
            con.execute(f"DETACH {DATABASE}")
            unless_committed.pop_all()

    def close(self) -> None:
        self._con = None
        self._open.close()


@dataclass
class _EpochTable(DuckDBTable):
    key: tuple[str, ...] = ()
    shown: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.streams = StreamTable(self, f"{self.home}.{quoted(stream_table.NAME)}", self.bare)

    def alone(self) -> None:
        """Nobody else has the file open."""

    def demand_key(self) -> None:
        """Rows are found by joining; an index would have to be kept, and find them no sooner."""

    def merge(self) -> tuple[int, int]:
        done = merged(self, self.merging(self.table, INCOMING, self.names, self.key, self.distinct), self.shown)
        return done.inserted, done.updated
