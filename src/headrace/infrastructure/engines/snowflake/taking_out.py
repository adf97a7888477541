"""Copies a staged table out of the database to Parquet, for sinks that are elsewhere. In batches: memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.engine import Limits
from headrace.business.inside import StagedTable
from headrace.business.ports import PROVENANCE, ArrowScan, Staged
from headrace.errors import RetryableError
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.engines.duckdb.literals import text
from headrace.infrastructure.engines.duckdb.reading_typed import streamed
from headrace.infrastructure.engines.snowflake.connection import SHOWN, Connection
from headrace.infrastructure.formats.parquet_checksums import add_checksums
from headrace.infrastructure.snowflake.reading import batches
from headrace.infrastructure.sql_text import quoted_list

if TYPE_CHECKING:
    import pyarrow as pa

#: What the writing may hold in memory where nothing else is said.
_MEMORY = "1GB"


def take_out(connection: Connection, staged: StagedTable, folder: Path, limits: Limits) -> Staged:
    def rows() -> Iterator[pa.RecordBatch]:
        with connection.faults():
            query = f"SELECT {quoted_list(staged.schema.names)} FROM {staged.table}"
            yield from batches(connection.raw, query, staged.schema, SHOWN)

    scan = ArrowScan(staged.schema, open=rows, origin=SHOWN)
    part, path = folder / ".data.parquet.part", folder / "data.parquet"
    with (
        connect(
            memory_limit=limits.memory or _MEMORY,
            temp_directory=str(folder / "spill"),
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
            python_enable_replacements=False,
        ) as con,
        streamed(con, scan, "staged") as relation,
    ):
        con.execute("SET TimeZone = 'UTC'")
        written = con.execute(f"COPY (SELECT * EXCLUDE ({PROVENANCE}) FROM {relation}) TO {text(str(part))} (FORMAT parquet)")
        count = int(written.fetchall()[0][0])
    if count != staged.rows:
        raise RetryableError(f"{SHOWN}: {staged.rows} rows were staged, but {count} came out", hint="run the pipeline again")
    digest = add_checksums(part, path)
    part.unlink()
    return Staged((path,), staged.schema, count, digest.bytes, {path: digest})
