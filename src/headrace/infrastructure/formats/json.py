"""JSON: one object per line, or one array of objects. Finds the keys and says how each file is to be read; an engine reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from headrace.business.model.contract import Model
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.ports import InputFile, JsonScan, Tidied
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.delimited import Encoding
from headrace.infrastructure.formats.delimited_head import unique_names
from headrace.infrastructure.formats.json_records import tidy_array, tidy_lines
from headrace.infrastructure.formats.opening import Compression, as_utf8, blocks, found_compression, found_encoding, is_utf8
from headrace.infrastructure.formats.rejects import Rejects

if TYPE_CHECKING:
    import duckdb

#: Numbers with a point and more than 17 digits: a double does not hold them, and engines read JSON numbers as doubles.
_LONG_NUMBER = "|".join(rf"[1-9][0-9]{{{before}}}\.[0-9]{{{17 - before},}}" for before in range(17)) + r"|[1-9][0-9]{17,}\.[0-9]|\b0\.[0-9]{18,}"


class Json(Model):
    """JSON in lines or in an array."""

    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".ndjson")

    layout: Literal["lines", "array"] | None = Field(
        None, description="One object per line, or one array of objects; by the first character when left out"
    )
    encoding: Encoding | None = Field(None, description="How characters are written; by the byte order mark, else UTF-8, when left out")
    compression: Compression | None = Field(None, description="Found out from the first bytes when left out")

    def scan(self, files: Sequence[InputFile]) -> JsonScan:
        filled = [file for file in files if file.bytes]
        layout = self.layout or self._layout_of(filled)
        plain = frozenset(file.path for file in filled if layout == "lines" and self._looks_plain(file))
        keys, trusted = _keys_of([f.path for f in filled if f.path in plain])
        careful = [file for file in filled if file.path not in trusted]
        for file in careful:
            keys |= dict.fromkeys(self._careful_keys(file, layout))
        if not keys:
            raise NonRetryableError(f"no object was found in `{files[0].path}`", hint="is it JSON, one object per line or an array of objects?")
        names, notes = unique_names(tuple(keys))
        return JsonScan(
            Schema(tuple(Column(name, String()) for name in names)),
            tuple(files),
            layout=layout,
            keys=tuple(keys),
            plain=trusted,
            tidy=partial(self._tidy, layout=layout),
            notes=notes,
        )

    def _layout_of(self, files: Sequence[InputFile]) -> Literal["lines", "array"]:
        for file in files:
            for block in self._text(file.path):
                if start := block.lstrip():
                    return "array" if start.startswith(b"[") else "lines"
        return "lines"

    def _text(self, path: str) -> Iterator[bytes]:
        encoding = self.encoding or found_encoding(next(blocks(path, self.compression), b"")[:4]) or "utf-8"
        return as_utf8(blocks(path, self.compression), encoding)

    def _looks_plain(self, file: InputFile) -> bool:
        with Path(file.path).open("rb") as raw:
            compressed = self.compression not in (None, "none") or (self.compression is None and found_compression(raw) != "none")
            start = raw.read(1 << 16)
        marked = found_encoding(start[:4])
        return not compressed and is_utf8(self.encoding or marked or "utf-8") and marked is None and b"\r" not in start

    def _careful_keys(self, file: InputFile, layout: str) -> Iterator[str]:
        import io
        import json

        class Seen(io.TextIOBase):
            """Takes the tidied lines and keeps their keys alone."""

            def __init__(self) -> None:
                self.keys: dict[str, None] = {}

            def write(self, line: str) -> int:
                self.keys |= dict.fromkeys(json.loads(line))
                return len(line)

        seen, nowhere = Seen(), Rejects(Seen())
        (tidy_array if layout == "array" else tidy_lines)(self._text(file.path), seen, nowhere)
        yield from seen.keys

    def _tidy(self, file: InputFile, folder: Path, *, layout: str) -> Tidied:
        path, rejected = folder / "records.jsonl", folder / "rejects.jsonl"
        with path.open("w", encoding="utf-8", newline="\n") as out, rejected.open("w", encoding="utf-8") as log:
            rejects = Rejects(log)
            longest = (tidy_array if layout == "array" else tidy_lines)(self._text(file.path), out, rejects)
        return Tidied(path, rejected, rejects.accepted, rejects.rejected, longest)
