"""Reads what already has types: Parquet, Arrow, DuckDB files. Such a source has no unreadable records; it can be read or it cannot."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from headrace.business.model.schema import Schema
from headrace.business.ports import PROVENANCE, ArrowFileScan, ArrowScan, DuckDBScan, InputFile, ParquetScan
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.reading_open import Landing
from headrace.infrastructure.engines.duckdb.reading_text import paths, record_numbers, unchanged
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.foreign_types import ForeignColumn, describe
from headrace.infrastructure.formats.parquet_verification import verify_pages

if TYPE_CHECKING:
    import pyarrow as pa


class TypedReading:
    """A relation that is there from the start."""

    def __init__(
        self,
        con: Connection,
        relation: str,
        files: tuple[InputFile, ...],
        table: str | None = None,
        columns: Collection[str] = (),
    ) -> None:
        self.con, self.relation, self.files, self._table, self._columns = con, relation, files, table, columns
        self.bytes_total = sum(file.bytes for file in files)

    def load(self, into: Landing) -> None:
        """There is nothing to count again: what is read, is right, once its checksums agree."""
        for file in self.files if self._table is None else ():
            verify_pages(Path(file.path), self._columns)
        try:
            into.build(self.relation)
        except duckdb.Error:
            self._demand_readable()
            raise
        for file in self.files:
            unchanged(file)

    def _demand_readable(self) -> None:
        """Say which file is damaged, if one is; if none is, it was not the reading that failed."""
        for file in self.files if self._table is None else ():
            try:
                self.con.execute(f"SELECT bit_xor(hash(f)) FROM ({self._of(file)}) AS f").fetchall()
            except (duckdb.OutOfMemoryException, duckdb.InterruptException):
                raise
            except duckdb.Error as error:
                hint = "see that the file is whole, and not encrypted"
                raise NonRetryableError(f"`{file.name}` cannot be read: {_first_line(error)}", hint=hint) from error

    def _of(self, file: InputFile) -> str:
        """The columns of one file that are read."""
        read = f"read_parquet({paths([file.path])}, hive_partitioning = false)"
        names = describe(self.con, f"SELECT * FROM {read}", f"`{file.name}`")
        wanted = ", ".join(identifier(c.name) for c in names if c.name in self._columns) or "1"
        return f"SELECT {wanted} FROM {read}"

    def rejected(self) -> str | None:
        return None

    def record_numbers(self, ranks_table: str) -> str:
        return record_numbers(ranks_table, None)

    def placed(self, held: str) -> None:  # noqa: ARG002 - they are in the files of the scan
        return None

    def close(self) -> None:
        if self._table is not None:
            self.con.execute(f"DROP TABLE IF EXISTS {self._table}")


def open_parquet(con: Connection, scan: ParquetScan, read: Collection[str]) -> TypedReading:
    for file in scan.files:
        unchanged(file)
    files = paths(file.path for file in scan.files)
    rows = f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"
    columns = describe(con, f"SELECT * FROM {rows}", f"`{scan.files[0].name}`")
    relation = f"(SELECT {_selected(columns, scan.schema)}, file_index::INTEGER AS {PROVENANCE} FROM {rows})"
    return TypedReading(con, relation, scan.files, columns=read)


def open_duckdb(con: Connection, scan: DuckDBScan, name: str) -> TypedReading:
    """The rows are taken at once: the file is let go again, so that the same run may publish into it."""
    attached, kept = identifier(f"source {name}"), identifier(f"arrived {name}")
    home = identifier(_text(con, "SELECT current_database()"))
    cursor = con.cursor()
    try:
        cursor.execute(f"ATTACH {text(scan.path)} AS {attached} (READ_ONLY)")
        try:
            cursor.execute(f"USE {attached}")
            columns = describe(cursor, scan.query, f"`{scan.path}`")
            select = f"SELECT {_selected(columns, scan.schema)}, 0::INTEGER AS {PROVENANCE} FROM ({scan.query}\n)"
            cursor.execute(f"CREATE OR REPLACE TABLE {home}.main.{kept} AS {select}")
        finally:
            cursor.execute(f"USE {home}")
            cursor.execute(f"DETACH {attached}")
    except duckdb.IOException as error:
        raise RetryableError(
            f"`{scan.path}` cannot be opened: {_first_line(error)}", hint="see that no other process is writing to it"
        ) from error
    except duckdb.Error as error:
        raise NonRetryableError(
            f"`{scan.path}`: {_first_line(error)}", hint="see that its tables are as they were when this was planned"
        ) from error
    finally:
        cursor.close()
    return TypedReading(con, kept, (), kept)


class PassingReading(TypedReading):
    """Rows that are read as they arrive, once, and are asked for by nobody again."""

    def __init__(self, con: Connection, scan: ArrowScan | ArrowFileScan, name: str) -> None:
        super().__init__(con, "", scan.files)
        self._scan, self._name = scan, name

    def load(self, into: Landing) -> None:
        with streamed(self.con, self._scan, self._name) as arriving:
            into.build(arriving)
        for file in self.files:
            unchanged(file)


def open_arrow(con: Connection, scan: ArrowScan | ArrowFileScan, name: str) -> TypedReading:
    """The rows are taken at once, because to ask the source again might give others."""
    kept = identifier(f"arrived {name}")
    with streamed(con, scan, name) as arriving:
        con.execute(f"CREATE OR REPLACE TABLE {kept} AS SELECT * FROM {arriving}")
    return TypedReading(con, kept, scan.files, kept)


@contextmanager
def streamed(con: Connection, scan: ArrowScan | ArrowFileScan, name: str) -> Iterator[str]:
    """A relation of the rows as they arrive, which can be read once and only inside."""
    arriving = f"arriving {name}"
    batches = _Batches(scan)
    reader = batches.reader(con)
    if reader is None:
        nothing = ", ".join(f"NULL::{duckdb_type(c.type)} AS {identifier(c.name)}" for c in scan.schema)
        yield f"(SELECT {nothing}, 0::INTEGER AS {PROVENANCE} WHERE false)"
        return
    con.register(arriving, reader)
    try:
        columns = describe(con, f"SELECT * FROM {identifier(arriving)}", batches.origin)
        yield f"(SELECT {_selected(columns, scan.schema)}, {identifier(PROVENANCE)} FROM {identifier(arriving)})"
    except (duckdb.Error, HeadraceError) as error:
        if batches.failed is not None:
            raise batches.failed from None
        if isinstance(error, HeadraceError):
            raise
        hint = "see that the batches have the columns that the source declares"
        if isinstance(error, duckdb.ConversionException):
            hint = "the type has no such value here: change it in the source, or read it as text, with a `query` where it is a table"
        raise NonRetryableError(f"{batches.origin}: {_first_line(error)}", hint=hint) from error
    finally:
        con.unregister(arriving)


class _Batches:
    """The batches of a scan as one stream with a column for the file. Keeps the error that ended it, of which DuckDB keeps the text."""

    def __init__(self, scan: ArrowScan | ArrowFileScan) -> None:
        self.scan = scan
        self.failed: HeadraceError | None = None
        self.origin = (
            (isinstance(scan, ArrowScan) and scan.origin) or ", ".join(f"`{f.name}`" for f in scan.files[:3]) or "the source"
        )

    def reader(self, con: Connection) -> pa.RecordBatchReader | None:
        """None when there is not one batch."""
        import pyarrow as pa

        batches = self._with_files()
        first = next(batches, None)
        if first is None:
            return None

        def all_of_them() -> Iterator[pa.RecordBatch]:
            yield first
            try:
                yield from batches
            except HeadraceError as error:
                self.failed = error
                raise

        return pa.RecordBatchReader.from_batches(first.schema, con.by_the_caller(all_of_them()))

    def _with_files(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for index, batch in self._each():
            # (To make an array of a list loads pandas, where it is installed.)
            numbers = pa.py_buffer(array("i", [index]) * batch.num_rows)
            yield batch.append_column(PROVENANCE, pa.Array.from_buffers(pa.int32(), batch.num_rows, [None, numbers]))

    def _each(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        if isinstance(self.scan, ArrowFileScan):
            for index, file in enumerate(self.scan.files):
                unchanged(file)
                yield from ((index, batch) for batch in self.scan.open(file))
        else:
            yield from ((0, batch) for batch in self.scan.open())


def _selected(columns: tuple[ForeignColumn, ...], schema: Schema) -> str:
    """The columns of the schema, each as the type that was found when the source was looked at."""
    found = {column.name: column for column in columns}
    return ", ".join(
        _as_declared(found.get(c.name), c.name, duckdb_type(c.type), same=c.name in found and found[c.name].type == c.type)
        for c in schema
    )


def _as_declared(column: ForeignColumn | None, name: str, kind: str, *, same: bool) -> str:
    value = column.expression if column else "NULL"
    return f"{value if same else f'CAST({value} AS {kind})'} AS {identifier(name)}"


def _text(con: Connection, query: str) -> str:
    return str(con.execute(query).fetchall()[0][0])


def _first_line(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return first.partition(": ")[2] or first
