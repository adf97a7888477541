"""How files of each format are written and read back by DuckDB. Not which files make up a target (see `manifest`).

CSV tells null (nothing between two delimiters) from the empty text (two quotes). JSON Lines writes as text what JSON has no
word for or readers would round: NaN and infinities, decimals of more than 15 digits, binary (base64), times (RFC 3339).
Arrow needs pyarrow; the others never load it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Binary, Decimal, Float, String, Timestamp
from headrace.business.ports import FileDigest
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.staged_rows import parquet, path_list, scalar
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.formats.parquet_checksums import ParquetSummary, add_checksums
from headrace.infrastructure.sql_text import literal, quoted
from headrace.records import record

Format = Literal["parquet", "csv", "jsonl", "arrow"]
Compression = Literal["none", "snappy", "zstd", "gzip", "lz4"]

COMPRESSIONS: dict[Format, tuple[Compression, ...]] = {
    "parquet": ("none", "snappy", "zstd", "gzip", "lz4"),
    "csv": ("none", "gzip", "zstd"),
    "jsonl": ("none", "gzip", "zstd"),
    "arrow": ("none", "lz4", "zstd"),
}
#: Digits that a 64-bit float, which is all most readers of JSON have, holds exactly.
EXACT_IN_JSON = 15

_TEXT_SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}

#: Cells that a spreadsheet would take for a formula, and those that look as if they had been escaped already.
_FORMULA = "^''*[=+@\\-\\t\\r]"


@record
class FileLayout:
    """How the rows of a target are laid out in files."""

    format: Format
    partition_by: tuple[str, ...] = ()
    compression: Compression | None = None
    delimiter: str = ","
    header: bool = True
    escape_formulas: bool = False

    @property
    def suffix(self) -> str:
        packed = _TEXT_SUFFIXES.get(self.compression or "", "") if self.format in ("csv", "jsonl") else ""
        return f".{self.format}{packed}"

    def dialect(self) -> dict[str, Any]:
        """What all files of a target must share to be read together."""
        return {k: v for k, v in asdict(self).items() if k != "compression"}

    def in_file(self, schema: Schema) -> Schema:
        """The columns inside a file: those that do not stand in its path."""
        return Schema(tuple(c for c in schema if c.name not in self.partition_by))

    # Writing ---------------------------------------------------------------------------------------------------------

    def write(self, con: Connection, query: str, schema: Schema, path: Path) -> tuple[int, FileDigest]:
        """Write the rows of a query to the new file `path`. Returns how many they were."""
        match self.format:
            case "parquet":
                raw = path.with_name(f".{path.name}.raw")
                rows = scalar(con, f"COPY ({query}) TO {literal(str(raw))} (FORMAT parquet{self.parquet_options()})")
                digest = add_checksums(raw, path)
                raw.unlink()
                return rows, digest
            case "arrow":
                rows = self._write_arrow(con, query, path)
            case "csv":
                columns = ", ".join(self._csv_cell(c) for c in schema)
                rows = scalar(con, f"COPY (SELECT {columns} FROM ({query})) TO {literal(str(path))} ({self._csv_options()})")
            case "jsonl":
                columns = ", ".join(_json_cell(c) for c in schema)
                packed = f", COMPRESSION {self.compression or 'none'}"
                rows = scalar(con, f"COPY (SELECT {columns} FROM ({query})) TO {literal(str(path))} (FORMAT json{packed})")
        return rows, digest_of(path)

    def parquet_options(self) -> str:
        return f", COMPRESSION {_parquet_codec(self.compression)}" if self.compression else ""

    def _csv_options(self) -> str:
        header = "true" if self.header else "false"
        packed = f"COMPRESSION {self.compression or 'none'}"
        return (
            f"FORMAT csv, HEADER {header}, DELIMITER {literal(self.delimiter)}, QUOTE '\"', ESCAPE '\"', NULLSTR '', {packed}"
        )

    def _csv_cell(self, column: Column) -> str:
        name = quoted(column.name)
        if self.escape_formulas and isinstance(column.type, String):
            return f"CASE WHEN regexp_matches({name}, '{_FORMULA}') THEN '''' || {name} ELSE {name} END AS {name}"
        return name

    def _write_arrow(self, con: Connection, query: str, path: Path) -> int:
        import pyarrow as pa

        options = pa.ipc.IpcWriteOptions(compression=self.compression if self.compression in ("lz4", "zstd") else None)
        rows = 0
        found, batches = con.arrow_batches(query, 1 << 16)
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, found, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

    # Reading back ----------------------------------------------------------------------------------------------------

    def read(self, files: Sequence[Path], schema: Schema, file_column: str) -> str:
        """A query of the rows of files that share a schema, with the path of their file in `file_column`."""
        hive = "false"
        if self.partition_by:
            types = ", ".join(f"{quoted(n)}: {literal(duckdb_type(schema[n].type))}" for n in self.partition_by)
            hive = f"true, hive_types = {{{types}}}"
        columns = ", ".join(f"{self._read_cell(c)} AS {quoted(c.name)}" for c in schema)
        scan = f"{self._scan(files, schema)}, filename = true, hive_partitioning = {hive})"
        return f"SELECT {columns}, filename AS {quoted(file_column)} FROM {scan}"

    def _scan(self, files: Sequence[Path], schema: Schema) -> str:
        """A table function over the files, up to its last argument."""
        paths = path_list(files)
        columns = ", ".join(f"{quoted(c.name)}: {literal(_read_type(c, self.format))}" for c in self.in_file(schema))
        match self.format:
            case "csv":
                return (
                    f"read_csv({paths}, columns = {{{columns}}}, auto_detect = false, header = {str(self.header).lower()}, "
                    f"delim = {literal(self.delimiter)}, "
                    "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, new_line = '\\n'"
                )
            case "jsonl":
                return f"read_json({paths}, format = 'newline_delimited', columns = {{{columns}}}"
        return f"read_parquet({paths}"

    def _read_cell(self, column: Column) -> str:
        name = quoted(column.name)
        if column.name not in self.partition_by and self.escape_formulas and isinstance(column.type, String):
            return f"CASE WHEN regexp_matches({name}, '{_FORMULA.replace('*', '+', 1)}') THEN {name}[2:] ELSE {name} END"
        if self.format == "jsonl" and isinstance(column.type, Binary):
            return f"from_base64({name})"
        return f"CAST({name} AS {duckdb_type(column.type)})"


def digest_of(path: Path) -> FileDigest:
    with path.open("rb") as file:
        return FileDigest(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def same_codec(layout: FileLayout, found: ParquetSummary) -> bool:
    return layout.compression is None or found.codecs <= {_parquet_codec(layout.compression)}


def from_arrow(con: Connection, file: Path, copy: Path) -> None:
    """Write an Arrow file as a Parquet file, which DuckDB can read as often as it likes."""
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        reader = pa.ipc.open_file(source)
        batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
        con.register("arrow_file", pa.RecordBatchReader.from_batches(reader.schema, batches))
        con.execute(f"COPY (FROM arrow_file) TO {literal(str(copy))} (FORMAT parquet)")
        con.unregister("arrow_file")


def plain(files: Sequence[Path], schema: Schema) -> str:
    """The rows of Parquet files that have exactly these columns."""
    return f"SELECT {', '.join(quoted(n) for n in schema.names)} FROM {parquet(files)}"


def _parquet_codec(compression: Compression) -> str:
    return {"none": "uncompressed", "lz4": "lz4_raw"}.get(compression, compression)


def _json_cell(column: Column) -> str:
    name = quoted(column.name)
    match column.type:
        case Float():
            return f"CASE WHEN isfinite({name}) THEN to_json({name}) ELSE to_json(CAST({name} AS VARCHAR)) END AS {name}"
        case Decimal(precision=digits) if digits > EXACT_IN_JSON:
            return f"CAST({name} AS VARCHAR) AS {name}"
        case Binary():
            return f"to_base64({name}) AS {name}"
        case Timestamp(zone=zone):
            return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%f{'Z' if zone else ''}') AS {name}"
    return name


def _read_type(column: Column, form: Format) -> str:
    """The type to read a column as, before it is cast: what JSON Lines may hold as text is read as text."""
    return "VARCHAR" if form == "jsonl" and isinstance(column.type, Float | Decimal | Binary) else duckdb_type(column.type)
