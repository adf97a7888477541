"""Copies a staged table out of the database to Parquet, for sinks that are elsewhere. In batches: memory does not grow with the rows."""

from __future__ import annotations

from pathlib import Path

from headrace.business.engine import Limits
from headrace.business.inside import StagedTable
from headrace.business.ports import PROVENANCE, ArrowScan, Staged
from headrace.errors import StagingLost
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.engines.duckdb.literals import text
from headrace.infrastructure.engines.duckdb.reading_typed import streamed
from headrace.infrastructure.engines.postgres.connection import SHOWN, Connection
from headrace.infrastructure.formats.parquet_checksums import add_checksums
from headrace.infrastructure.postgresql import reading

#: What the writing may hold in memory where nothing else is said.
_MEMORY = "1GB"


def take_out(connection: Connection, staged: StagedTable, folder: Path, limits: Limits) -> Staged:
    query = f"SELECT * FROM {staged.table}"
    with connection.faults():
        columns = reading.described(connection.raw, query, SHOWN)
    scan = ArrowScan(staged.schema, open=lambda: reading.batches(connection.address(), query, columns, SHOWN), origin=SHOWN)
    part, path = folder / ".data.parquet.part", folder / "data.parquet"
    with connect(
        memory_limit=limits.memory or _MEMORY,
        temp_directory=str(folder / "spill"),
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        python_enable_replacements=False,
    ) as con, streamed(con, scan, "staged") as rows:  # fmt: skip
        con.execute("SET TimeZone = 'UTC'")
        written = con.execute(f"COPY (SELECT * EXCLUDE ({PROVENANCE}) FROM {rows}) TO {text(str(part))} (FORMAT parquet)")
        count = int(written.fetchall()[0][0])
    if count != staged.rows:
        raise StagingLost(f"{SHOWN}: {staged.rows} rows were staged, but {count} came out", hint="run the pipeline again")
    digest = add_checksums(part, path)
    part.unlink()
    return Staged((path,), staged.schema, count, digest.bytes, {path: digest})
