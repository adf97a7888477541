"""Delimited text: CSV, TSV and their many relatives. Says how each file is to be read; an engine reads it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from headrace.business.model.part import Model
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.ports import DelimitedScan, Head, InputFile, Tidied
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.delimited_head import (
    LOOKED_AT,
    Dialect,
    Start,
    gathered,
    guessed_delimiter,
    head_of,
    start_of,
    unique_names,
)
from headrace.infrastructure.formats.delimited_tidy import Tidying
from headrace.infrastructure.formats.opening import (
    SAMPLED_BLOCKS,
    Compression,
    as_utf8,
    blocks,
    found_compression,
    found_encoding,
    is_utf8,
)
from headrace.infrastructure.formats.rejects import Rejects


def known_encoding(name: str) -> str:
    try:
        codecs.getincrementaldecoder(name)
    except LookupError:
        raise ValueError(
            f"`{name}` is not an encoding; allowed are those of Python, such as utf-8, utf-16, latin-1, cp1252"
        ) from None
    return name


def _one_sign(text: str) -> str:
    if text and (not text.isascii() or text in "\r\n\0"):
        raise ValueError("write one ASCII character, or nothing")
    return text


def _delimiter(text: str) -> str:
    written = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if any(char in '\r\n\0"' for char in written):
        raise ValueError("a delimiter holds no line end, no NUL and no quote")
    return written


Encoding = Annotated[str, AfterValidator(known_encoding)]
Sign = Annotated[str, Field(max_length=1), AfterValidator(_one_sign)]


class Delimited(Model):
    """Delimited text."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".txt", ".dat")

    delimiter: Annotated[str, Field(min_length=1, max_length=4), AfterValidator(_delimiter)] | None = Field(
        None, description="What separates fields; found out among comma, semicolon, tab and bar when left out"
    )
    quote: Sign = Field('"', description="What encloses a field that holds delimiters or line ends; empty for none")
    escape: Sign | None = Field(None, description="What stands before a quote inside of quotes; the quote itself when left out")
    header: bool = Field(True, description="Whether the first record holds the column names")
    columns: tuple[str, ...] = Field((), description="The column names, when there is no header")
    skip: Annotated[int, Field(ge=0, le=100_000)] = Field(0, description="How many lines at the start to skip")
    comment: Annotated[str, Field(min_length=1, max_length=4)] | None = Field(
        None, description="What a line starts with that is a comment"
    )
    encoding: Encoding | None = Field(
        None, description="How characters are written; by the byte order mark, else UTF-8, when left out"
    )
    compression: Compression | None = Field(None, description="Found out from the first bytes when left out")

    def scan(self, files: Sequence[InputFile]) -> DelimitedScan:
        if self.columns and self.header:
            raise NonRetryableError(
                "`columns` names the columns of files without a header", hint="say `header: false`, or leave out `columns`"
            )
        first = next((f for f in files if f.bytes), files[0])
        encoding = self.encoding or self._marked(first) or "utf-8"
        delimiter = self._delimiter_of(first, encoding)
        dialect = self._dialect(delimiter)
        heads: dict[str, Head] = {}
        notes: dict[str, None] = {}
        for file in files:
            heads[file.path], found = self._head(file, dialect, encoding)
            notes |= dict.fromkeys(found)
        names = dict.fromkeys(name for head in heads.values() for name in head.names)
        if not names:
            raise NonRetryableError(
                f"`{first.path}` is empty: it has not even a header",
                hint="`header: false` and `columns` read an empty file without one",
            )
        return DelimitedScan(
            Schema(tuple(Column(name, String()) for name in names)),
            tuple(files),
            delimiter=delimiter,
            quote=self.quote,
            escape=dialect.escape,
            encoding=encoding,
            heads=heads,
            tidy=partial(
                tidy,
                dialect=dialect,
                encoding=encoding,
                compression=self.compression,
                names={p: len(h.names) for p, h in heads.items()},
            ),
            notes=tuple(notes),
        )

    def _dialect(self, delimiter: str | None) -> Dialect:
        return Dialect(delimiter, self.quote, self.escape or self.quote, self.header, self.skip, self.comment, self.columns)

    def _marked(self, file: InputFile) -> str | None:
        return found_encoding(next(blocks(file.path, self.compression), b"")[:4])

    def _delimiter_of(self, file: InputFile, encoding: str) -> str:
        if self.delimiter:
            return self.delimiter
        dialect = self._dialect(None)
        stream = as_utf8(blocks(file.path, self.compression), encoding)
        start = gathered(stream, LOOKED_AT)[0]
        lines = start.splitlines(keepends=True)[self.skip :]
        comment = self.comment.encode() if self.comment else None
        return guessed_delimiter(b"".join(line for line in lines if not (comment and line.startswith(comment))), dialect)

    def _head(self, file: InputFile, dialect: Dialect, encoding: str) -> tuple[Head, tuple[str, ...]]:
        start = start_of(file.path, _text(file.path, encoding, self.compression), dialect)
        if start is None:
            return Head(self.columns, 0, plain=False), ()
        names, notes = unique_names(start.names)
        as_it_is = is_utf8(encoding) and self._uncompressed(file.path)
        return head_of(start, names, dialect.grammar(len(names)), as_utf8=as_it_is), notes

    def _uncompressed(self, path: str) -> bool:
        if self.compression is not None:
            return self.compression == "none"
        with Path(path).open("rb") as raw:
            return found_compression(raw) == "none"


class TabSeparated(Delimited):
    """Delimited text with tabs."""

    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")

    delimiter: Annotated[str, Field(min_length=1, max_length=4), AfterValidator(_delimiter)] | None = Field(
        "\t", description="What separates fields"
    )


def _text(path: str, encoding: str, compression: Compression | None) -> Iterator[bytes]:
    return as_utf8(blocks(path, compression), encoding)


def tidy(
    file: InputFile,
    folder: Path,
    *,
    dialect: Dialect,
    encoding: str,
    compression: Compression | None,
    names: Mapping[str, int],
    sample: bool = False,
) -> Tidied:
    """Copy the good records of a file, as `ports.Tidy` says. `names` tells how many columns each file has."""
    path, rejected = folder / "records.csv", folder / "rejects.jsonl"
    with path.open("wb") as out, rejected.open("w", encoding="utf-8") as log:
        rejects = Rejects(log)
        tidying = Tidying(dialect.grammar(max(1, names[file.path])), out, rejects)
        stream = _text(file.path, encoding, compression)
        stream = islice(stream, SAMPLED_BLOCKS) if sample else stream
        start: Start | None = start_of(file.path, stream, dialect)
        if start is not None:
            tidying.run(start.rest, stream)
    return Tidied(path, rejected, rejects.accepted, rejects.rejected, tidying.longest)
