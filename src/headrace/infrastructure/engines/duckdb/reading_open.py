"""What the engine asks of a source that is being read, whatever its kind. Not how any kind is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from headrace.business.ports import PROVENANCE
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.records import record


class Landing(Protocol):
    """A table that is filled from a scan, wherever it is: the rows of a relation that has `_file`, one for each."""

    def build(self, relation: str) -> object:
        """Make it and fill it from a relation of DuckDB."""
        ...

    def rows(self) -> Mapping[int, int]:
        """How many rows arrived of each file."""
        ...

    def drop(self) -> None: ...


@record
class DuckDBTable:
    """A table on the connection that reads. `make` creates it from a relation, with `_file` under the name `file_column`."""

    con: Connection
    table: str
    make: Callable[[str], object]
    file_column: str = PROVENANCE

    def build(self, relation: str) -> object:
        return self.make(relation)

    def rows(self) -> Mapping[int, int]:
        column = identifier(self.file_column)
        return dict(self.con.execute(f"SELECT {column}, count(*) FROM {self.table} GROUP BY 1").fetchall())

    def drop(self) -> None:
        self.con.execute(f"DROP TABLE IF EXISTS {self.table}")


class OpenScan(Protocol):
    """A source that is being read."""

    bytes_total: int

    @property
    def relation(self) -> str:
        """A parenthesised SELECT with exactly the columns of the scan and `_file`, an index into its files; rows in their order.

        A text scan gives every cell as it stands in the file: an empty one is NULL, a quoted empty one the empty text.
        """
        ...

    def load(self, into: Landing) -> None:
        """Have the landing built from the relation. It is dropped and built again when the engine's reading does not add up."""
        ...

    def rejected(self) -> str | None:
        """After `load`: the temporary table `file, record, text, reason, message` of what could not be read, if there is anything."""
        ...

    def record_numbers(self, ranks_table: str) -> str:
        """A SELECT of `file, rank, record` for a table of `file, rank`: which record of its file, counted from 1 and with the
        rejected ones, the row is that stands at `rank` among the accepted rows of the file, counted from 0."""
        ...

    def placed(self, held: str) -> Sequence[str] | None:
        """Of a table with the columns `file` and `record` of rows from here: set both to where people find the records, if that is not in
        the files of the scan. What `file` counts then, from 0; None when nothing was set."""
        ...

    def close(self) -> None: ...


def unreadable(con: Connection, rejected: str | None) -> int:
    """How many records could not be read, by what `OpenScan.rejected` gave."""
    return int(con.execute(f"SELECT count(*) FROM {rejected}").fetchall()[0][0]) if rejected else 0
