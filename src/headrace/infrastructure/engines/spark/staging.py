"""Takes what executors have written over as a staged result: the same values in the types that every engine stages, with checksums."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Integer, Json, List, Struct
from headrace.business.ports import FileDigest, Staged
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.spark.intake import relation
from headrace.infrastructure.formats.parquet_checksums import add_checksums, summary


def settled(con: Connection, files: Sequence[Path], schema: Schema, folder: Path) -> Staged:
    """The rows of files as staged files in a folder. Where Spark keeps a type as another, DuckDB writes the rows anew."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = [(file, summary(file).rows) for file in files]
    filled = [file for file, rows in counted if rows] or list(files[:1])
    made = [_rewritten(con, filled, schema, folder)] if any(_differs(c.type) for c in schema) or not filled else filled
    digests: dict[Path, FileDigest] = {}
    for i, file in enumerate(made):
        path = folder / (f"data-{i}.parquet" if i else "data.parquet")
        digests[path] = add_checksums(file, path)
    if made != filled:
        made[0].unlink()
    rows = sum(rows for _, rows in counted)
    return Staged(tuple(digests), schema, rows, sum(digest.bytes for digest in digests.values()), digests)


def _rewritten(con: Connection, files: Sequence[Path], schema: Schema, folder: Path) -> Path:
    part = folder / ".data.parquet.part"
    if files:
        columns = ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
        rows = f"SELECT {columns} FROM {relation(files)}"
    else:
        rows = f"SELECT {', '.join(f'CAST(NULL AS {duckdb_type(c.type)}) AS {identifier(c.name)}' for c in schema)} WHERE false"
    con.execute(f"COPY ({rows}) TO {text(str(part))} (FORMAT parquet)").fetchall()
    return part


def _differs(kind: DataType) -> bool:
    """Whether a file of Spark does not say of a column that it is of this type."""
    match kind:
        case List():
            return _differs(kind.item)
        case Struct():
            return any(_differs(field) for _, field in kind.fields)
        case Integer():
            return not kind.signed
        case _:
            return isinstance(kind, Json)
