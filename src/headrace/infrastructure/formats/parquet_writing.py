"""Writes Arrow batches to a Parquet file with a checksum in each page, in row groups as large as DuckDB's: quickly, for a file that
is read once if at all. Not where it lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.ports import FileDigest
from headrace.infrastructure.arrow_shares import groups

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS, _GROUP_BYTES = 122_880, 64 << 20


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], path: Path) -> tuple[int, FileDigest]:
    """How many rows were written, and what the file holds."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rows = 0
    options: dict[str, Any] = {"store_decimal_as_integer": True, "use_dictionary": False, "write_statistics": False}
    with ParquetWriter(path, schema, write_page_checksum=True, **options) as writer:
        for group in groups(batches, _GROUP_ROWS, _GROUP_BYTES):
            part = pa.Table.from_batches(group)
            writer.write_table(part)
            rows += part.num_rows
    with path.open("rb") as written:
        digest = hashlib.file_digest(written, lambda: hashlib.sha256(usedforsecurity=False))
    return rows, FileDigest(digest.hexdigest(), path.stat().st_size)
