"""Makes the next state of a target of files: links what stays, writes what is new. Not how it takes the place of the last one.

Everything is made in a folder of its own, so that the last state is only ever read.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.atomic_files import link_or_copy
from headrace.infrastructure.connectors.evolution import added_columns, fits
from headrace.infrastructure.connectors.file_layout import FileLayout, digest_of, plain, same_codec
from headrace.infrastructure.connectors.file_merge import EXISTING, FileMerge, first_versions
from headrace.infrastructure.connectors.file_rows import FileRows, conformed, free_name
from headrace.infrastructure.connectors.file_target import FileTarget
from headrace.infrastructure.connectors.history import history_columns, missing_history, too_late
from headrace.infrastructure.connectors.ledger import extended
from headrace.infrastructure.connectors.manifest import DataFile, Manifest
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.staged_rows import INCOMING, check_key, define_incoming, reader
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.formats.parquet_checksums import add_checksums, summary
from headrace.infrastructure.sql_text import literal, quoted_list


@dataclass
class FileState:
    """One publication on its way: from the last state, if there is one, to the next, made in `folder`."""

    options: PublishingOptions
    layout: FileLayout
    staged: Staged
    checkpoint: Checkpoint
    target: FileTarget
    last: Manifest | None
    folder: Path
    scratch: Path
    readers: ExitStack
    one_file: str | None = None
    stem: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    files: list[DataFile] = field(default_factory=list)

    @cached_property
    def con(self) -> Connection:
        """DuckDB with the staged rows, opened when the first file has to be read or written anew."""
        con = self.readers.enter_context(reader(self.scratch / "spill"))
        define_incoming(con, self.staged)
        return con

    @cached_property
    def rows(self) -> FileRows:
        return FileRows(self.con, self.layout, self.target.root, self.scratch)

    def make(self) -> tuple[Manifest, Publication]:
        if self.options.key:
            check_key(self.con, INCOMING, self.options.key)
        last, mode, staged = self.last, self.options.mode, self.staged.schema
        if last is None or mode == "replace":
            schemas: tuple[Schema, ...] = (Schema((*staged, *history_columns(self.options, staged.names))),)
            self._start(schemas[0])
            counts = Publication(self.place, inserted=self.staged.rows, deleted=last.rows if last else 0)
        else:
            schema = self._evolved(last)
            schemas = last.schemas if schema == last.schema else (*last.schemas, schema)
            counts = (self._append if mode == "append" else self._merge)(last, schema, len(schemas) - 1)
        ledger = extended(last.ledger if last else (), self.checkpoint, mode)
        state = Manifest(self.layout.dialect(), schemas, tuple(self.files), ledger).pruned()
        self._check_rows(state, counts)
        old = {f.path for f in last.files} if last and not self.one_file else set()
        return state, replace(counts, files=tuple(f.path for f in self.files if f.path not in old))

    @property
    def place(self) -> str:
        return str(self.target)

    def _check_rows(self, state: Manifest, counts: Publication) -> None:
        """No row may be lost or doubled on the way into files."""
        before = self.last.rows if self.last and self.options.mode != "replace" else 0
        versions = counts.updated if self.options.history else 0
        if state.rows != before + counts.inserted + versions:
            raise NonRetryableError(
                f"{self.place}: {before} rows were there and {counts.inserted + versions} were to come, but the new files have "
                f"{state.rows}; nothing was published",
                hint="see that no one else changes the files, and run the pipeline again",
            )

    # The modes -------------------------------------------------------------------------------------------------------

    def _start(self, schema: Schema) -> None:
        """The staged rows are all there is."""
        if not self._adopt(schema, 0):
            self._write(first_versions(schema, self.staged.schema, self.options, self.checkpoint.at), schema, 0)

    def _append(self, last: Manifest, schema: Schema, number: int) -> Publication:
        new = f"SELECT {conformed(schema, self.staged.schema)} FROM {INCOMING}"
        if self.one_file:
            self.rows.define(EXISTING, last, schema, free_name(schema))
            self._write(f"SELECT {quoted_list(schema.names)} FROM {EXISTING} UNION ALL {new}", schema, number)
        else:
            for file in last.files:
                self._keep(file)
            if self.staged.rows and not self._adopt(schema, number):
                self._write(new, schema, number)
        return Publication(self.place, inserted=self.staged.rows)

    def _merge(self, last: Manifest, schema: Schema, number: int) -> Publication:
        column = free_name(schema)
        self.rows.define(EXISTING, last, schema, column)
        merge = FileMerge(self.con, self.options, schema, self.staged.schema, column, self.checkpoint.at)
        if merge.is_late():
            raise too_late(self.place, self.checkpoint.at)
        done = merge.changes()
        counts = Publication(self.place, done.inserted, done.updated, done.closed, done.unchanged)
        changed = bool(done.leaving or done.inserted)
        if self.one_file and changed:
            self._write(f"{merge.remaining(EXISTING)} UNION ALL {done.added}", schema, number)
            return counts
        for file in last.files:
            leaving = done.leaving.get(str(self.rows.readable(file)), 0)
            if not leaving:
                self._keep(file)
            elif leaving < file.rows:
                self._rewrite(last, file, merge, schema, number)
        if changed:
            self._write(done.added, schema, number)
        return counts

    # Data files ------------------------------------------------------------------------------------------------------

    def _adopt(self, schema: Schema, number: int) -> bool:
        """Use the staged files as they are, when they are what is wanted. Copies nothing where the file system can link."""
        files = self.staged.files
        as_they_are = (
            self.layout.format == "parquet" and not self.layout.partition_by and (len(files) == 1 or not self.one_file)
        )
        if not as_they_are or schema != self.staged.schema:
            return False
        found = [summary(file) for file in files]
        if not files or not all(same_codec(self.layout, f) for f in found):
            return False
        for i, (file, about) in enumerate(zip(files, found, strict=True)):
            path = self.folder / self._name(i)
            if about.has_checksums:
                link_or_copy(file, path)
                digest = self.staged.digests.get(file) or digest_of(path)
            else:
                digest = add_checksums(file, path)
            self.files.append(DataFile(path.name, about.rows, digest.bytes, digest.sha256, number))
            milestones.reached("a file written")
        return True

    def _write(self, query: str, schema: Schema, number: int) -> None:
        """Write the rows of a query to new files."""
        if self.layout.partition_by:
            self._write_partitioned(query, schema, number)
            return
        path = self.folder / self._name(len(self.files))
        rows, digest = self.layout.write(self.con, query, schema, path)
        self.files.append(DataFile(path.name, rows, digest.bytes, digest.sha256, number))
        milestones.reached("a file written")

    def _write_partitioned(self, query: str, schema: Schema, number: int) -> None:
        raw = self.scratch / "raw"
        inside, options = self.layout.in_file(schema), self.layout.parquet_options() if self.layout.format == "parquet" else ""
        written = self.con.execute(
            f"COPY ({query}) TO {literal(str(raw))} (FORMAT parquet, PARTITION_BY ({quoted_list(self.layout.partition_by)}), "
            f"FILENAME_PATTERN 'part-{{uuid}}', RETURN_STATS{options})"
        ).fetchall()
        for part in sorted(Path(row[0]) for row in written):
            path = self.folder / part.parent.relative_to(raw) / self._name(len(self.files))
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.layout.format == "parquet":
                rows, digest = summary(part).rows, add_checksums(part, path)
            else:
                rows, digest = self.layout.write(self.con, plain([part], inside), inside, path)
            part.unlink()
            self.files.append(DataFile(str(path.relative_to(self.folder)), rows, digest.bytes, digest.sha256, number))
            milestones.reached("a file written")

    def _rewrite(self, last: Manifest, file: DataFile, merge: FileMerge, schema: Schema, number: int) -> None:
        """Write a file again without the rows that leave it."""
        rows_of_file = self.rows.select(last, [file], schema, merge.file_column)
        inside = self.layout.in_file(schema)
        path = self.folder / Path(file.path).parent / self._name(len(self.files))
        path.parent.mkdir(parents=True, exist_ok=True)
        query = f"SELECT {quoted_list(inside.names)} FROM ({merge.remaining(f'({rows_of_file})')})"
        rows, digest = self.layout.write(self.con, query, inside, path)
        self.files.append(DataFile(str(path.relative_to(self.folder)), rows, digest.bytes, digest.sha256, number))
        milestones.reached("a file written")

    def _keep(self, file: DataFile) -> None:
        self.target.keep(file, self.folder)
        self.files.append(file)

    def _name(self, number: int) -> str:
        """The name of a new file: never one that was there before, unless the target is this one file."""
        return self.one_file or f"{self.stem}-{number:05d}{self.layout.suffix}"

    # The last state --------------------------------------------------------------------------------------------------

    def _evolved(self, last: Manifest) -> Schema:
        """The target's schema, grown by what is new in the staged rows."""
        if last.dialect != self.layout.dialect():
            now = self.layout.dialect()
            was = ", ".join(f"{k}: {v}" for k, v in last.dialect.items() if v != now.get(k))
            hint = "publish with `mode: replace` once, or somewhere else"
            raise NonRetryableError(f"{self.place}: its files were laid out otherwise ({was})", hint=hint)
        history = history_columns(self.options, last.schema.names)
        if history and last.rows:
            raise missing_history(self.place, history)
        there = {c.name: c.type for c in last.schema}
        added = added_columns(self.place, there, self.staged.schema, lambda into, kind: fits(kind, into))
        return Schema((*last.schema, *added, *history))
