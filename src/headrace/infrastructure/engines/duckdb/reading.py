"""Opens a scan for DuckDB: a relation to select from, and afterwards what could not be read. One kind of scan, one room."""

from __future__ import annotations

from collections.abc import Collection

from headrace.business.fetched import FetchedScan, Wanted
from headrace.business.ports import (
    ArrowFileScan,
    ArrowScan,
    DelimitedScan,
    DuckDBScan,
    FileScan,
    Folders,
    JsonScan,
    ParquetScan,
    Scan,
)
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.reading_open import DuckDBTable as DuckDBTable
from headrace.infrastructure.engines.duckdb.reading_open import Landing as Landing
from headrace.infrastructure.engines.duckdb.reading_open import OpenScan as OpenScan


def open_scan(
    con: Connection,
    scan: Scan,
    name: str,
    *,
    sample: bool = False,
    columns: Collection[str] | None = None,
    wanted: Wanted | None = None,
    once: bool = False,
) -> OpenScan:
    """Open a scan under the name of its dataset, once its files are on this machine. As a `sample`, only to look at its first rows:
    what cannot be read is passed over. Nothing but these columns will be read, if any are named; others may be missing from the
    files. `wanted` is for rows that have to be fetched first. Who needs the rows `once` has no more of the scan than what
    `load` does; others may read its relation as often as they like."""
    if isinstance(scan, FileScan) and scan.fetch is not None and not sample:
        scan.fetch(scan.files, scan.schema.names if columns is None else columns)
    match scan:
        case FileScan(folders=Folders()):
            from headrace.infrastructure.engines.duckdb.reading_folders import FolderReading, without_folders

            return FolderReading(open_scan(con, without_folders(scan), name, sample=sample, columns=columns), scan)
        case DelimitedScan():
            from headrace.infrastructure.engines.duckdb.reading_delimited import DelimitedReading

            return DelimitedReading(con, scan, name, sample=sample)
        case JsonScan():
            from headrace.infrastructure.engines.duckdb.reading_json import JsonReading

            return JsonReading(con, scan, name, sample=sample)
        case FetchedScan():
            from headrace.infrastructure.engines.duckdb.reading_fetched import FetchedReading

            return FetchedReading(con, scan, name, wanted or Wanted(), sample=sample)
        case ParquetScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import open_parquet

            return open_parquet(con, scan, scan.schema.names if columns is None else columns)
        case DuckDBScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import open_duckdb

            return open_duckdb(con, scan, name)
        case ArrowScan() | ArrowFileScan():
            from headrace.infrastructure.engines.duckdb.reading_typed import PassingReading, open_arrow

            return PassingReading(con, scan, name) if once else open_arrow(con, scan, name)
    raise NonRetryableError(f"the DuckDB engine cannot read a {type(scan).__name__}")
