"""The source `file`: one file, many, or all that match a pattern, in any format. Not how a format is read (see `formats`).

They lie on this machine, or in a store that their address names (see `stores`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from headrace.business.connections import Profile
from headrace.business.ports import FileScan, Plugin, Scan
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.file_folders import with_folders
from headrace.infrastructure.connectors.file_formats import FormatName, format_of, guessed
from headrace.infrastructure.connectors.file_listing import list_files, problem_with
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.places import StoreConnection, in_store, opened, problem_with_connection

_NOT_OPTIONS_OF_FORMATS = {"path", "connection", "format", "partitioned"}


def _paths(written: Any) -> Any:
    return (written,) if isinstance(written, str | Path) else written


class FileSource(Plugin):
    """Files of this machine or of a store. All have one format; columns are joined by name, and are null where a file lacks them."""

    kind: ClassVar[str] = "file"
    shorthand: ClassVar[str | None] = "path"

    path: Annotated[
        tuple[str, ...], BeforeValidator(_paths, json_schema_input_type=str | tuple[str, ...]), Field(min_length=1)
    ] = Field(
        description="A file, a pattern such as data/*.csv or data/**/*.csv, a folder, or a list of them; from the project folder, or "
        "of one store: s3://bucket/data/*.csv, gs://, az://, hdfs://, webhdfs://, sftp://, https://"
    )
    connection: Profile[StoreConnection] | None = Field(
        None,
        description="The connection in headrace.toml by which the store is reached; when left out, what the environment says",
    )
    format: FormatName | None = Field(None, description="By the ending of the names, when left out")
    partitioned: bool | None = Field(
        None,
        description="Whether folders such as month=1 give columns; when left out, where all files lie in folders of the same names",
    )
    compression: Literal["none", "gzip", "zstd", "bz2"] | None = Field(
        None, description="csv, tsv, json: found out from the file when left out"
    )
    encoding: str | None = Field(None, description="csv, tsv, json: by the byte order mark, else UTF-8, when left out")
    delimiter: str | None = Field(None, description="csv: found out among comma, semicolon, tab and bar when left out")
    quote: str = Field('"', description="csv, tsv: what encloses a field; empty for nothing")
    escape: str | None = Field(
        None, description="csv, tsv: what stands before a quote inside of quotes; the quote itself when left out"
    )
    header: bool = Field(True, description="csv, tsv, excel: whether the first record holds the column names")
    columns: tuple[str, ...] = Field((), description="csv, tsv, excel: the column names, when there is no header")
    skip: int = Field(0, description="csv, tsv, excel: how many lines or rows at the start to skip")
    comment: str | None = Field(None, description="csv, tsv: what a line starts with that is a comment")
    layout: Literal["lines", "array", "object"] | None = Field(
        None,
        description="json: one object per line, one array, or one object over many lines; found out for each file when left out",
    )
    sheet: str | int = Field(1, description="excel: the sheet, by name or by number from 1 on")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for path in self.path:
            if problem := problem_with(path):
                raise ValueError(f"`{path.replace(chr(0), '?')[:200]}` cannot be read: {problem}")
        if problem := problem_with_connection(self.path, self.connection):
            raise ValueError(problem)
        if self.columns and self.header:
            raise ValueError("`columns` names the columns of files without a header: say `header: false` too, or leave it out")
        if name := self.format or guessed(self.path):
            format_of(name, self._options)
        return self

    @property
    def origin(self) -> str:
        """What these files are called in messages."""
        return ", ".join(self.path)

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set - _NOT_OPTIONS_OF_FORMATS}

    def scan(self, project: Path) -> Scan:
        addresses = in_store(self.path)
        scan = self._scan_store(addresses, project) if addresses else self._scan_disk(project)
        written = [address.of(address.folder) for address in addresses] or self.path
        return with_folders(scan, project, written, wanted=self.partitioned) if isinstance(scan, FileScan) else scan

    def _scan_disk(self, project: Path) -> Scan:
        files = list_files(project, self.path)
        try:
            return format_of(self._format_of(file.path for file in files), self._options).scan(files)
        except ValueError as error:
            raise NonRetryableError(str(error)) from error

    def _scan_store(self, addresses: Sequence[Address], project: Path) -> Scan:
        from headrace.infrastructure.connectors.stores import scanning

        store = opened(addresses[0], self.connection, project)
        found = scanning.listed(store, addresses)
        name = self._format_of(file.key.partition("?")[0] for file in found)
        try:
            return scanning.scan(store, found, addresses, project, name, self._options)
        except ValueError as error:
            raise NonRetryableError(str(error)) from error

    def _format_of(self, names: Iterable[str]) -> FormatName:
        """The format, when all paths or all files have names that suggest the same one."""
        name = self.format or guessed(self.path) or guessed(names)
        if name is None:
            raise NonRetryableError(
                f"it is not clear from their names which format the files of `{self.origin}` have",
                hint="name it: `format: csv`",
            )
        return name
