"""What a target holds, as a digest of its rows whatever their order: to compare two targets. Not to show them."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.chaos import within
from headrace.business.model.schema import Schema
from headrace.business.ports import Readable


def digest_of(sink: Any, project: Path) -> str | None:
    """Rows and their digest; None for a target that is no path within the folder. When rows were written is left out of them."""
    path = within(sink, project)
    if path is None:
        return None
    table, without = str(getattr(sink, "table", "")), tuple(getattr(sink, "history", ()))
    if not path.exists():
        return "nothing"
    if sink.kind == "sqlite":
        return _digest(_of_sqlite(path, table, without))
    if sink.kind == "duckdb":
        return _digest(_of_duckdb(path, table, without))
    return _digest(row for file in _files(path) for row in _of_file(file, without))


def digest_read_back(publisher: Readable, project: Path, columns: Schema) -> str:
    """The same of a target anywhere that says itself what it holds; of `scd2`, the versions in force."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        held = publisher.snapshot(project, columns, Path(folder))
        return "nothing" if held is None else _digest(row for file in held.files for row in _of_file(file, ()))


def _digest(rows: Iterable[str]) -> str:
    count, total = 0, 0
    for row in rows:
        count += 1
        total = (total + int.from_bytes(hashlib.blake2b(row.encode(), digest_size=16).digest())) % 2**128
    return f"{count} rows {total:032x}"


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [
        f
        for f in sorted(path.rglob("*"))
        if f.is_file() and not any(p.startswith(("_", ".")) for p in f.relative_to(path).parts)
    ]


def _of_file(file: Path, without: Sequence[str]) -> Iterator[str]:
    if file.suffix != ".parquet":
        with file.open("rb") as lines:
            yield from (line.decode(errors="replace") for line in lines)
        return
    import duckdb

    with duckdb.connect() as con:
        relation = con.execute("SELECT * FROM read_parquet(?)", [str(file)])
        folders = [part for part in file.parts if "=" in part]  # of a target in partitions, whose columns are in the names
        yield from _texts(relation.description, iter(relation.fetchone, None), without, folders)


def _of_duckdb(path: Path, table: str, without: Sequence[str]) -> Iterator[str]:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as con:
        name = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
        relation = con.execute(f"SELECT * FROM {name}")
        yield from _texts(relation.description, iter(relation.fetchone, None), without)


def _of_sqlite(path: Path, table: str, without: Sequence[str]) -> Iterator[str]:
    name = '"' + table.replace('"', '""') + '"'
    with closing(sqlite3.connect(path)) as con:
        found = con.execute(f"SELECT * FROM {name}")
        yield from _texts(found.description, found, without)


def _texts(
    columns: Sequence[Any], rows: Iterable[Sequence[Any]], without: Sequence[str], more: Sequence[str] = ()
) -> Iterator[str]:
    kept = [i for i, column in enumerate(columns) if column[0] not in without]
    for row in rows:
        yield repr([*(row[i] for i in kept), *more])
