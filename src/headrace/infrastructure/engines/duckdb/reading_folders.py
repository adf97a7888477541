"""Adds to the rows of files the columns that stand in the names of their folders. Not how the files are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from headrace.business.model.schema import Schema
from headrace.business.ports import PROVENANCE, FileScan, Folders
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.reading_open import Landing, OpenScan
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.records import record


def without_folders(scan: FileScan) -> FileScan:
    """The scan of what is in the files themselves."""
    folders = scan.folders.columns if scan.folders else ()
    return replace(scan, schema=Schema(tuple(scan.schema)[: len(scan.schema) - len(folders)]), folders=None)


class FolderReading:
    """See `OpenScan`: the reading of the files, with more columns."""

    def __init__(self, files: OpenScan, scan: FileScan) -> None:
        self.files, self.scan = files, scan
        self.bytes_total = files.bytes_total

    @property
    def relation(self) -> str:
        return self._widened(self.files.relation)

    def load(self, into: Landing) -> None:
        self.files.load(_Wider(into, self._widened))

    def _widened(self, relation: str) -> str:
        folders = self.scan.folders or Folders((), {})
        columns = [identifier(column.name) for column in without_folders(self.scan).schema]
        for i, column in enumerate(folders.columns):
            values = [folders.values[file.path][i] for file in self.scan.files]
            listed = ", ".join("NULL" if value is None else text(value) for value in values)
            kind = duckdb_type(self.scan.schema[column.name].type)
            columns.append(f"CAST(CAST([{listed}] AS VARCHAR[])[{PROVENANCE} + 1] AS {kind}) AS {identifier(column.name)}")
        return f"(SELECT {', '.join(columns)}, {PROVENANCE} FROM {relation})"

    def rejected(self) -> str | None:
        return self.files.rejected()

    def record_numbers(self, ranks_table: str) -> str:
        return self.files.record_numbers(ranks_table)

    def placed(self, held: str) -> Sequence[str] | None:
        return self.files.placed(held)

    def close(self) -> None:
        self.files.close()


@record
class _Wider:
    """A landing that is given the relation with more columns."""

    into: Landing
    widened: Callable[[str], str]

    def build(self, relation: str) -> object:
        return self.into.build(self.widened(relation))

    def rows(self) -> Mapping[int, int]:
        return self.into.rows()

    def drop(self) -> None:
        self.into.drop()
