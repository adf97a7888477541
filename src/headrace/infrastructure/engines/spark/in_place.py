"""Parquet files that the executors read where they lie, instead of being handed their rows: with the same numbers, types and verdicts that
DuckDB would give them. Whatever is not sure to be read alike by both is handed over. (What a page of a damaged file costs, says Spark.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.model.types import Binary, Boolean, DataType, Date, Decimal, Float, Integer, String, Timestamp
from headrace.business.ports import PROVENANCE, Folders, InputFile, ParquetScan, Scan
from headrace.business.validation.compiled import raw
from headrace.engine_settings import SparkSettings
from headrace.infrastructure.engines.spark.area import read
from headrace.infrastructure.engines.spark.intake import ROW
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.infrastructure.engines.spark.types import spark_type

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

#: A statement names each file, so that more of them are rather handed over as one.
_MOST_FILES = 100
_PLAIN: dict[str, DataType] = {
    "BOOLEAN": Boolean(), "INT32": Integer(32), "INT64": Integer(64), "FLOAT": Float(32), "DOUBLE": Float(64), "BYTE_ARRAY": Binary()
}  # fmt: skip


def relation(scan: Scan, settings: SparkSettings) -> str | None:
    """What stands after FROM for the rows of a scan, as the intake would have them: the number of each, the number of its file, and the
    cells. None where they have to be handed over."""
    if not isinstance(scan, ParquetScan) or scan.fetch is not None or isinstance(scan.folders, Folders) or scan.all_text:
        return None
    if not 0 < len(scan.files) <= _MOST_FILES or not all(_is_seen(file, settings) for file in scan.files):
        return None
    before, parts = 0, []
    for i, file in enumerate(scan.files):
        footer = _footer(file)
        columns = None if footer is None else _alike(footer, scan)
        if footer is None or columns is None:
            return None
        parts.append(_of_file(file, i, before, columns, scan))
        before += footer.num_rows
    return f"({' UNION ALL '.join(parts)})"


def _is_seen(file: InputFile, settings: SparkSettings) -> bool:
    """Whether executors see the file under its name. (One that begins with `_` or `.`, Spark takes for none of its own.)"""
    path = Path(file.path).absolute()
    here = settings.remote is None and settings.master.startswith("local")
    return (here or any(path.is_relative_to(folder) for folder in settings.shared)) and path.name[:1] not in "_."


def _footer(file: InputFile) -> FileMetaData | None:
    """None of a file that cannot be read: DuckDB, to which it is left then, says what is wrong with it."""
    import pyarrow as pa
    from pyarrow.parquet import read_metadata

    try:
        return read_metadata(file.path)
    except (OSError, pa.ArrowException):
        return None


def _alike(footer: FileMetaData, scan: ParquetScan) -> frozenset[str] | None:
    """The columns of the scan that the file has, or None if it does not have all it has as the scan has them."""
    found = dict(_columns(footer))
    names = [name.lower() for name in found]
    if len(set(names)) < footer.num_columns or "_metadata" in names:
        return None
    wanted = {c.name: c.type for c in scan.schema}
    if any(found[name] != kind for name, kind in wanted.items() if name in found):
        return None
    # Of names that differ in their case alone, Spark would take one for the other.
    missing = {name.lower() for name in wanted if name not in found}
    return None if missing & set(names) else frozenset(wanted) & frozenset(found)


def _columns(footer: FileMetaData) -> Iterator[tuple[str, DataType | None]]:
    for i in range(footer.num_columns):
        column = footer.schema.column(i)
        name, _, _ = column.path.partition(".")
        flat = column.max_repetition_level == 0 and column.max_definition_level <= 1 and column.path == column.name
        yield name, _type(column.physical_type, json.loads(column.logical_type.to_json())) if flat else None


def _type(physical: str, logical: dict[str, object]) -> DataType | None:
    """The type that both readers make of it."""
    match logical:
        case {"Type": "None"}:
            return _PLAIN.get(physical)
        case {"Type": "String"}:
            return String()
        case {"Type": "Date"}:
            return Date()
        case {"Type": "Int", "bitWidth": int(bits), "isSigned": bool(signed)}:
            return Integer(bits, signed)
        case {"Type": "Decimal", "precision": int(precision), "scale": int(scale)}:
            return Decimal(precision, scale)
        case {"Type": "Timestamp", "timeUnit": "milliseconds" | "microseconds", "isAdjustedToUTC": bool(zone)}:
            return Timestamp(zone)
    return None


def _of_file(file: InputFile, number: int, before: int, columns: frozenset[str], scan: ParquetScan) -> str:
    cells = "".join(f", {_cell(c.name, c.type, there=c.name in columns)} AS {identifier(raw(c.name))}" for c in scan.schema)
    return (
        f"SELECT _metadata.row_index + {before + 1}L AS {identifier(ROW)}, {number} AS {identifier(PROVENANCE)}{cells} "
        f"FROM {read(Path(file.path))}"
    )


def _cell(name: str, kind: DataType, *, there: bool) -> str:
    if not there:
        return f"CAST(NULL AS {spark_type(kind)})"
    if isinstance(kind, String):
        return f"validate_utf8({identifier(name)})"
    return f"CAST({identifier(name)} AS {spark_type(kind)})"
