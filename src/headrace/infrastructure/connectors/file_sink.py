"""The sink `file`: a folder of files, or one file, published whole or not at all. Not the formats (see `file_layout`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Date, Integer, String, Timestamp
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import fences, manifest, milestones
from headrace.infrastructure.connectors.file_layout import COMPRESSIONS, Compression, FileLayout, Format
from headrace.infrastructure.connectors.file_rows import FileRows, free_name
from headrace.infrastructure.connectors.file_state import FileState
from headrace.infrastructure.connectors.file_target import FileTarget, FolderTarget, SingleFileTarget
from headrace.infrastructure.connectors.ledger import checkpoints, holds
from headrace.infrastructure.connectors.manifest import Manifest
from headrace.infrastructure.connectors.publishing import Names, PublishingOptions, repeated, shown_path, unknown_columns
from headrace.infrastructure.connectors.snapshots import copied
from headrace.infrastructure.connectors.staged_rows import reader
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.places import (
    CONDITIONAL,
    PUBLISHED,
    WRITABLE,
    StoreConnection,
    in_store,
    problem_with_address,
    problem_with_connection,
)
from headrace.infrastructure.sql_text import quoted_list

#: The endings that make a path one file, and what they say about it.
ENDINGS: dict[str, Format] = {
    ".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".arrow": "arrow",
}  # fmt: skip
PACKED: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}

_CSV_OPTIONS = {"delimiter", "header", "escape_formulas"}


class FileSink(PublishingOptions):
    """Files: a folder of them, or a single one when the path ends like one (`out/flights.csv`, `out/flights.csv.gz`)."""

    kind: ClassVar[str] = "file"
    shorthand: ClassVar[str | None] = "path"

    path: Annotated[
        str,
        Field(
            min_length=1,
            description="A folder, which belongs to this sink alone, or one file; or a folder of a store: s3://bucket/folder, gs://, az://",
        ),
    ]
    connection: Profile[StoreConnection] | None = Field(
        None,
        description="The connection in headrace.toml by which the store is reached; when left out, what the environment says",
    )
    format: Format | None = Field(None, description="By the path's ending, else parquet")
    partition_by: Names = Field((), description="Columns that become folders: `month=1/...`")
    compression: Compression | None = Field(None, description="By the path's ending, else what is usual for the format")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(None, description="csv: between two cells")
    header: bool = Field(True, description="csv: whether the first line names the columns")
    escape_formulas: bool = Field(False, description="csv: put a ' before cells that a spreadsheet would take for a formula")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if "\0" in self.path:
            raise ValueError("`path` has a NUL character")
        problem = problem_with_address(self.path) or problem_with_connection((self.path,), self.connection)
        if problem or (problem := self._cannot_be_written()):
            raise ValueError(problem)
        layout = self.layout
        if layout.format != "csv" and (own := _CSV_OPTIONS & self.model_fields_set):
            raise ValueError(f"`{min(own)}` means nothing for {layout.format}; it is for csv")
        if self.one_file and self.partition_by:
            raise ValueError(f"`partition_by` needs a folder, and `{self.path}` is one file")
        if self.ending and self.format and self.ending != self.format:
            raise ValueError(f"`{self.path}` ends like {self.ending}, but `format` says {self.format}")
        if layout.compression and layout.compression not in COMPRESSIONS[layout.format]:
            allowed = ", ".join(COMPRESSIONS[layout.format])
            raise ValueError(f"{layout.format} cannot be compressed with {layout.compression}; allowed: {allowed}")
        if layout.delimiter in ('"', "\n", "\r"):
            raise ValueError("`delimiter` cannot be a quote or the end of a line")
        return self

    # What the options come to ----------------------------------------------------------------------------------------

    @property
    def ending(self) -> Format | None:
        name = Path(self.path)
        return ENDINGS.get((name.with_suffix("") if name.suffix in PACKED else name).suffix)

    @property
    def one_file(self) -> bool:
        return self.ending is not None and not self.path.endswith("/")

    @property
    def layout(self) -> FileLayout:
        packed = PACKED.get(Path(self.path).suffix) if self.one_file else None
        tabs = self.one_file and ".tsv" in Path(self.path).suffixes
        return FileLayout(
            self.format or self.ending or "parquet", self.partition_by, self.compression or packed,
            self.delimiter or ("\t" if tabs else ","), self.header, self.escape_formulas,
        )  # fmt: skip

    @property
    def _address(self) -> Address | None:
        return next(iter(in_store((self.path,))), None)

    def _cannot_be_written(self) -> str | None:
        """Why nothing can be published to an address."""
        address = self._address
        if address is None:
            return None
        if address.kind not in WRITABLE:
            return f"nothing can be published to `{address.scheme}://`, only read from there; publish to {', '.join(PUBLISHED)}"
        if address.has_magic:
            return f"`{address}` is a pattern, and a folder is needed"
        if self.one_file:
            return f"`{address}` is one file, and a store cannot change it together with its ledger: name a folder"
        return None if address.key.strip("/") else f"`{address}` is a whole bucket, and others may use it: name a folder in it"

    def _place(self, project: Path) -> FileTarget:
        if self._address is not None:
            from headrace.infrastructure.connectors.stores.folder_target import folder_target

            return folder_target(self._address, self.connection, project)
        path = (project / self.path).resolve()
        return SingleFileTarget(path) if self.one_file else FolderTarget(path)

    # The port --------------------------------------------------------------------------------------------------------

    def target(self, project: Path) -> str:
        if self._address is not None:
            return f"{self._address.store}/{self._address.folder}/"
        return shown_path(project, self.path) + ("" if self.one_file else "/")

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.option_problems(schema)
        yield from unknown_columns("partition_by", [c for c in self.partition_by if c not in self.history], schema)
        yield from repeated("partition_by", self.partition_by)
        if not len(schema):
            yield "a file needs at least one column"
        if self.partition_by and set(schema.names) <= set(self.partition_by):
            yield "partition_by: at least one column must be left for the files"
        for column in schema:
            what = f"`{column.name}` is {column.type}, which"
            if column.name in self.partition_by and not isinstance(column.type, Boolean | Date | Integer | String | Timestamp):
                yield f"partition_by: {what} makes no good name of a folder; use text, dates or integers"
            if isinstance(column.type, Integer) and column.type.bits == 128 and self.layout.format in ("parquet", "arrow"):
                yield f"{what} {self.layout.format} has no type for; cast it to decimal(38, 0) or string"
        if self.layout.format == "arrow" and find_spec("pyarrow") is None:
            yield "format arrow needs pyarrow: pip install 'headrace[arrow]'"

    def guarantee(self) -> str:
        if self._address is not None:
            how = "one conditional request" if self._address.kind in CONDITIONAL else "a name that only one can take"
            return (
                f"exactly once: files under new names, then the manifest with its ledger by {how}; who reads by "
                f"{manifest.NAME} sees whole states alone, who lists the folder may meet rows of two states while one is published"
            )
        if self.one_file:
            return "exactly once: the file is replaced in one act, and a manifest beside it knows its states by their hash"
        walk = (
            "; who walks several folders while they change can read exactly one state by the manifest"
            if self.partition_by
            else ""
        )
        return f"exactly once: files, manifest and ledger change together, in one exchange of folders{walk}"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with _faults(self.target(project)):
            last = self._place(project).last()
        return checkpoints(last.ledger) if last else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with self._alone(project) as place:
            fences.admit(place.fences, pipeline, fence, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        place = self._place(project)
        with _faults(self.target(project)):
            last = place.last()
            if last is None:
                return None
            place.bring(last.files)
            history = [c for c in last.schema if c.name in self.history]
            wanted = Schema((*columns, *history))
            with reader(folder) as con:
                rows = FileRows(con, FileLayout(**last.dialect), place.root, folder).select(
                    last, last.files, wanted, free_name(wanted)
                )
                return copied(con, f"SELECT {quoted_list(columns.names)} FROM ({rows}){self.in_force}", columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        milestones.reached("about to publish")
        with self._alone(project) as place:
            place.tidy()
            fences.admit(place.fences, checkpoint.pipeline, checkpoint.fence, shown)
            last = place.last()
            if last and holds(last.ledger, checkpoint):
                place.settle(last)
                return Publication(shown, already=True)
            place.check(last, self.mode)
            return replace(self._publish(place, last, staged, checkpoint), target=shown)

    @contextmanager
    def _alone(self, project: Path) -> Iterator[FileTarget]:
        """The place, where nobody else publishes meanwhile."""
        place = self._place(project)
        with _faults(self.target(project)), place.alone():
            yield place

    def _publish(self, place: FileTarget, last: Manifest | None, staged: Staged, checkpoint: Checkpoint) -> Publication:
        work = place.workplace()
        made, scratch = work / "made", work / "scratch"
        made.mkdir(parents=True)
        scratch.mkdir()
        try:
            with ExitStack() as readers:
                one_file = Path(self.path).name if self.one_file else None
                if last is not None and (self.one_file or self.mode not in ("append", "replace")):
                    place.bring(last.files)
                state = FileState(self, self.layout, staged, checkpoint, place, last, made, scratch, readers, one_file)
                next_state, done = state.make()
            place.put(made, next_state, last)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return done


@contextmanager
def _faults(shown: str) -> Iterator[None]:
    """Say what the disk refused in words for people, and whether to try again."""
    import duckdb

    try:
        yield
    except PermissionError as error:
        hint = "let this user write there, or publish somewhere else"
        raise NonRetryableError(f"{shown}: {error.strerror}: {error.filename}", hint=hint) from error
    except OSError as error:
        hint = "see that the disk is there and not full"
        raise RetryableError(f"{shown}: {error.strerror or error}: {error.filename or ''}".rstrip(": "), hint=hint) from error
    except duckdb.OutOfMemoryException as error:
        raise RetryableError(
            f"{shown}: publishing ran out of memory: {_first_line(error)}", hint="free some, and try again"
        ) from error
    except duckdb.IOException as error:
        raise RetryableError(f"{shown}: {_first_line(error)}", hint="see that the disk is there and not full") from error
    except duckdb.Error as error:
        raise NonRetryableError(f"{shown}: {_first_line(error)}", hint="nothing was changed; mend the rows") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
