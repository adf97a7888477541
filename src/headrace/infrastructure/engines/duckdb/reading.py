"""Opens a scan for DuckDB: a relation to select from, and afterwards what could not be read. One kind of scan, one room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import duckdb

from headrace.business.ports import ArrowFileScan, ArrowScan, DelimitedScan, DuckDBScan, JsonScan, ParquetScan, Scan
from headrace.errors import NonRetryableError


class OpenScan(Protocol):
    """A source that is being read."""

    bytes_total: int

    @property
    def relation(self) -> str:
        """A parenthesised SELECT with exactly the columns of the scan and `_file`, an index into its files; rows in their order.

        A text scan gives every cell as it stands in the file: an empty one is NULL, a quoted empty one the empty text.
        """
        ...

    def load(self, build: Callable[[str], object], table: str, file_column: str = "_file") -> None:
        """Have `build` create `table` from the relation it is given, one row for each row of the relation, with `_file` under the
        name `file_column`. It is called again, after the table was dropped, when the engine's reading does not add up."""
        ...

    def rejected(self) -> str | None:
        """After `load`: the temporary table `file, record, text, reason, message` of what could not be read, if there is anything."""
        ...

    def record_numbers(self, ranks_table: str) -> str:
        """A SELECT of `file, rank, record` for a table of `file, rank`: which record of its file, counted from 1 and with the
        rejected ones, the row is that stands at `rank` among the accepted rows of the file, counted from 0."""
        ...

    def close(self) -> None: ...


def open_scan(con: duckdb.DuckDBPyConnection, scan: Scan, name: str, *, sample: bool = False) -> OpenScan:
    """Open a scan under the name of its dataset. As a `sample`, only to look at its first rows: what cannot be read is passed over."""
    match scan:
        case DelimitedScan():
            from headrace.infrastructure.engines.duckdb.reading_delimited import DelimitedReading

            return DelimitedReading(con, scan, name, sample=sample)
        case JsonScan():
            from headrace.infrastructure.engines.duckdb.reading_json import JsonReading

            return JsonReading(con, scan, name, sample=sample)
        case ParquetScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import open_parquet

            return open_parquet(con, scan)
        case DuckDBScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import open_duckdb

            return open_duckdb(con, scan, name)
        case ArrowScan() | ArrowFileScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import open_arrow

            return open_arrow(con, scan, name)
    raise NonRetryableError(f"the DuckDB engine cannot read a {type(scan).__name__}")
