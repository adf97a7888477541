"""A table of a DuckDB file that is attached to a connection, with its ledger and fences; and how such a file is opened. Not the modes (see
`table_publication`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.business.model.types import DataType
from headrace.business.ports import Checkpoint
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import fence_table, ledger_table, table_publication
from headrace.infrastructure.connectors.duckdb_types import duckdb_type, type_in_duckdb
from headrace.infrastructure.connectors.evolution import fits
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.history import instant
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.staged_rows import INCOMING
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

#: The name by which the file is known on our connection.
DATABASE = "target"


@dataclass
class DuckDBTable:
    """The table on a connection that has its file attached."""

    con: Connection
    name: str
    names: Sequence[str] = ()
    distinct: str = "IS DISTINCT FROM"
    defining_commits: bool = False
    merging: type[Merge] = Merge
    versioning: type[History] = History

    def __post_init__(self) -> None:
        schema, _, self.bare = self.name.rpartition(".")
        self.schema = schema or "main"
        self.home = f"{DATABASE}.{quoted(self.schema)}"
        self.table = f"{self.home}.{quoted(self.bare)}"
        self.ledger = LedgerTable(self, f"{self.home}.{quoted(ledger_table.NAME)}", self.bare)
        self.fences = FenceTable(self, f"{self.home}.{quoted(fence_table.NAME)}", self.bare)

    def make_home(self) -> None:
        self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {self.home}")

    def has(self, table: str) -> bool:
        return bool(self._columns_of(table))

    def run(self, statement: str) -> int:
        rows = self.con.execute(statement).fetchall()
        return int(rows[0][0]) if rows and isinstance(rows[0][0], int) else 0

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self.con.execute(query).fetchall()

    def columns(self) -> Mapping[str, str] | None:
        return dict(self._columns_of(self.bare)) or None

    def _columns_of(self, table: str) -> list[tuple[str, str]]:
        found = self.con.execute(
            f"SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = '{DATABASE}' "
            f"AND lower(schema_name) = lower({literal(self.schema)}) AND lower(table_name) = lower({literal(table)}) ORDER BY column_index"
        ).fetchall()
        return [(str(name), str(kind)) for name, kind in found]

    def accepts(self, there: str, kind: DataType) -> bool:
        into = type_in_duckdb(there)
        own = self.rows(f"SELECT typeof(CAST(NULL AS {duckdb_type(kind)}))")[0][0]
        return there == own or (into is not None and fits(kind, into))

    def type_of(self, kind: DataType) -> str:
        return duckdb_type(kind)

    def instant(self, checkpoint: Checkpoint) -> str:
        return instant(checkpoint.at)

    def load(self) -> int:
        names = quoted_list(self.names)
        return self.run(f"INSERT INTO {self.table} ({names}) SELECT {names} FROM {INCOMING}")

    def stage(self) -> str:
        return INCOMING

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        self.con.execute(table_publication.create_index_sql(quoted(name), self.table, columns))


def attach(con: Connection, path: Path, *, read_only: bool) -> None:
    import duckdb

    if not _is_duckdb(path):
        raise NonRetryableError(f"{path}: is not a DuckDB file", hint="move it away, or name another path")
    try:
        con.execute(f"ATTACH {literal(str(path))} AS {DATABASE}{' (READ_ONLY)' if read_only else ''}")
    except duckdb.Error as error:
        raise RetryableError(
            f"{path}: cannot be opened now: {_first_line(error)}",
            hint="close what has it open (another program, a notebook), and try again",
        ) from error


def _is_duckdb(path: Path) -> bool:
    """Whether it is a DuckDB file, or can become one."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        start = file.read(12)
    return not start or start[8:] == b"DUCK"


@contextmanager
def duckdb_faults(shown: str) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.TransactionException) as error:
        raise RetryableError(f"{shown}: {_first_line(error)}", hint="see that the disk is not full, and try again") from error
    except duckdb.Error as error:
        raise NonRetryableError(
            f"{shown}: {_first_line(error)}", hint="mend the table or the rows; nothing was changed"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
