"""Parquet files: finds their schema from the footers alone. An engine reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from headrace.business.model.part import Model
from headrace.business.model.types import DataType, Date, Decimal, Float, Integer, Timestamp
from headrace.business.ports import InputFile, ParquetScan
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.duckdb_lending import lent
from headrace.infrastructure.foreign_types import ForeignColumn, describe, notes_of, schema_of


class Parquet(Model):
    """Parquet."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def scan(self, files: Sequence[InputFile]) -> ParquetScan:

        seen: dict[str, tuple[DataType, str]] = {}
        with lent() as con:
            for file in files:
                for column in _columns(con, [file.path]):
                    before, path = seen.setdefault(column.name, (column.type, file.path))
                    if not _joinable(before, column.type):
                        raise NonRetryableError(
                            f"`{column.name}` is {before} in `{path}` and {column.type} in `{file.path}`",
                            hint="read them as two sources, and cast one before they are united",
                        )
            columns = _columns(con, [file.path for file in files])
        return ParquetScan(schema_of(columns), tuple(files), notes=notes_of(columns))


def _columns(con: Connection, paths: Iterable[str]) -> tuple[ForeignColumn, ...]:
    import duckdb

    escaped = ["".join(f"[{char}]" if char in "*?[" else char for char in path) for path in paths]
    origin = f"`{next(iter(paths))}`"
    try:
        return describe(
            con,
            "SELECT * FROM read_parquet($files, union_by_name = true, hive_partitioning = false)",
            origin,
            {"files": escaped},
        )
    except duckdb.Error as error:
        said = str(error).splitlines()[0].partition(": ")[2] or str(error)
        raise NonRetryableError(
            f"{origin} cannot be read as Parquet: {said}", hint="see that it is a whole Parquet file, and not encrypted"
        ) from error


def _joinable(one: DataType, other: DataType) -> bool:
    """Whether a common type holds the values of both."""
    numbers = (Integer, Float, Decimal)
    moments = (Date, Timestamp)
    return type(one) is type(other) or any(isinstance(one, kinds) and isinstance(other, kinds) for kinds in (numbers, moments))
