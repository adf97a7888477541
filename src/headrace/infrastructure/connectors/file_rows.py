"""Reads the rows of a target's files back in one schema, whatever each was written with. Not how files are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headrace.business.model.schema import Column, Schema
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_layout import FileLayout, from_arrow
from headrace.infrastructure.connectors.manifest import DataFile, Manifest
from headrace.infrastructure.connectors.staged_rows import empty
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted


@dataclass(frozen=True, slots=True)
class FileRows:
    """The files of a target below `root`, as a connection can read them."""

    con: Connection
    layout: FileLayout
    root: Path
    scratch: Path

    def define(self, view: str, state: Manifest, schema: Schema, column: str) -> None:
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {self.select(state, state.files, schema, column)}")

    def select(self, state: Manifest, files: Sequence[DataFile], schema: Schema, column: str) -> str:
        """The rows of files of a state in the columns of `schema`, with the file of each in `column`."""
        wanted = {f.path for f in files}
        parts = [f"SELECT *, NULL::VARCHAR AS {quoted(column)} FROM ({empty(schema)})"]
        for written, group in state.by_schema():
            if paths := [self.readable(f) for f in group if f.path in wanted]:
                layout = replace(self.layout, format="parquet") if self.layout.format == "arrow" else self.layout
                parts.append(
                    f"SELECT {conformed(schema, written)}, {quoted(column)} FROM ({layout.read(paths, written, column)})"
                )
        return " UNION ALL ".join(parts)

    def readable(self, file: DataFile) -> Path:
        """The file, or for Arrow a copy that DuckDB can read, in a folder of the same name."""
        path = self.root / file.path
        if self.layout.format != "arrow":
            return path
        copy = self.scratch / "arrow" / f"{file.path}.parquet"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            from_arrow(self.con, path, copy)
        return copy


def conformed(schema: Schema, there: Schema) -> str:
    """The columns of `schema`, from rows that have those of `there`; null where there is none."""

    def value(column: Column) -> str:
        source = there.resolve(column.name)
        return f"CAST({quoted(source.name) if source else 'NULL'} AS {duckdb_type(column.type)}) AS {quoted(column.name)}"

    return ", ".join(map(value, schema))


def free_name(schema: Schema) -> str:
    """A name for the column of files that no column of the schema has."""
    name = "file"
    while schema.resolve(name):
        name += "_"
    return name
