"""JSON: one object per line, an array of objects, or one object. Finds the keys and how each file is to be read; an engine reads it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from headrace.business.model.part import Model
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.ports import InputFile, JsonScan, Tidied
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.duckdb_lending import lent
from headrace.infrastructure.formats.delimited import Encoding
from headrace.infrastructure.formats.delimited_head import unique_names
from headrace.infrastructure.formats.delimited_tidy import LONGEST
from headrace.infrastructure.formats.json_records import is_object, tidy_array, tidy_lines, tidy_object
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

#: In SQL: whether a `line` has a number with a point and more than 17 digits. A double does not hold it, and engines read such numbers
#: as doubles.
LONG_NUMBER = r"""CASE WHEN regexp_matches(line, '[0-9.]{19}') THEN len(list_filter(
    regexp_extract_all(line, '[0-9]+\.[0-9]+'), lambda x: length(replace(ltrim(x, '0.'), '.', '')) > 17)) > 0 ELSE false END"""


Layout = Literal["lines", "array", "object"]

_TIDY = {"lines": tidy_lines, "array": tidy_array, "object": tidy_object}


class Json(Model):
    """JSON in lines, in an array, or as one object."""

    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".ndjson")

    layout: Layout | None = Field(
        None, description="One object per line, one array of objects, or one object over many lines; found out when left out"
    )
    encoding: Encoding | None = Field(
        None, description="How characters are written; by the byte order mark, else UTF-8, when left out"
    )
    compression: Compression | None = Field(None, description="Found out from the first bytes when left out")

    def scan(self, files: Sequence[InputFile]) -> JsonScan:
        filled = [file for file in files if file.bytes]
        layouts = {file.path: self.layout or self._layout_of(file) for file in filled}
        plain = frozenset(file.path for file in filled if layouts[file.path] == "lines" and self._looks_plain(file))
        keys, trusted = _keys_of([f.path for f in filled if f.path in plain])
        careful = [file for file in filled if file.path not in trusted]
        for file in careful:
            keys |= self._careful_keys(file, layouts[file.path])
        if not keys:
            raise NonRetryableError(
                f"no object was found in `{files[0].path}`", hint="is it JSON, one object per line or an array of objects?"
            )
        names, notes = unique_names(tuple(keys))
        return JsonScan(
            Schema(tuple(Column(name, String()) for name in names)),
            tuple(files),
            keys=tuple(keys),
            plain=trusted,
            tidy=partial(self._tidy, layouts=layouts),
            notes=notes,
        )

    def _layout_of(self, file: InputFile) -> Layout:
        for block in self._text(file.path):
            if start := block.lstrip():
                if start.startswith(b"["):
                    return "array"
                first = start.partition(b"\n")[0]
                return "object" if not is_object(first) and self._is_one_object(file) else "lines"
        return "lines"

    def _is_one_object(self, file: InputFile) -> bool:
        text = b""
        for block in self._text(file.path):
            text += block
            if len(text) > LONGEST:
                return False
        return is_object(text.strip())

    def _text(self, path: str) -> Iterator[bytes]:
        encoding = self.encoding or found_encoding(next(blocks(path, self.compression), b"")[:4]) or "utf-8"
        return as_utf8(blocks(path, self.compression), encoding)

    def _looks_plain(self, file: InputFile) -> bool:
        with Path(file.path).open("rb") as raw:
            compressed = self.compression not in (None, "none") or (
                self.compression is None and found_compression(raw) != "none"
            )
            start = raw.read(1 << 16)
        marked = found_encoding(start[:4])
        return not compressed and is_utf8(self.encoding or marked or "utf-8") and marked is None and b"\r" not in start

    def _careful_keys(self, file: InputFile, layout: Layout) -> dict[str, None]:
        seen = _SeenKeys()
        _TIDY[layout](self._text(file.path), seen, Rejects(io.StringIO()))
        return seen.keys

    def _tidy(self, file: InputFile, folder: Path, *, layouts: Mapping[str, Layout], sample: bool = False) -> Tidied:
        path, rejected = folder / "records.jsonl", folder / "rejects.jsonl"
        with path.open("w", encoding="utf-8", newline="\n") as out, rejected.open("w", encoding="utf-8") as log:
            rejects = Rejects(log)
            text = islice(self._text(file.path), SAMPLED_BLOCKS) if sample else self._text(file.path)
            longest = _TIDY[layouts[file.path]](text, out, rejects)
        return Tidied(path, rejected, rejects.accepted, rejects.rejected, longest)


class _SeenKeys(io.StringIO):
    """Takes tidied lines and keeps nothing but their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, None] = {}

    def write(self, line: str) -> int:
        self.keys |= dict.fromkeys(json.loads(line))
        return len(line)


def _keys_of(paths: Sequence[str]) -> tuple[dict[str, None], frozenset[str]]:
    """The keys of all objects in files of lines, and the files that an engine may read by itself: no key twice in an object,
    no number that a double cannot hold."""
    keys: dict[str, None] = {}
    if not paths:
        return keys, frozenset()

    doubtful: set[str] = set()
    with lent() as con:
        for path in paths:
            for found, long_number in _key_lists(con, path):
                if long_number or len({key.lower() for key in found}) < len(found):
                    doubtful.add(path)
                keys |= dict.fromkeys(found)
    return keys, frozenset(paths) - doubtful


def _key_lists(con: Connection, path: str) -> Sequence[tuple[list[str], bool]]:
    """Each list of keys that objects of the file have, the most frequent first."""
    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in path)
    return con.execute(
        f"""SELECT keys, bool_or(long_number) FROM (
            SELECT CASE WHEN json_valid(line) THEN json_keys(line) END AS keys, {LONG_NUMBER} AS long_number
            FROM read_csv($path, auto_detect = false, hive_partitioning = false, columns = {{line: 'VARCHAR'}}, header = false,
                delim = chr(1), quote = '', escape = '', new_line = '\\n', ignore_errors = true,
                max_line_size = {LONGEST}, buffer_size = {4 * LONGEST})
            WHERE starts_with(ltrim(line, chr(32) || chr(9)), '{{')
        ) WHERE keys IS NOT NULL GROUP BY keys ORDER BY count(*) DESC, keys""",
        {"path": escaped},
    ).fetchall()


class JsonLines(Json):
    """JSON, one object per line."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    layout: Layout | None = Field(
        "lines", description="One object per line, one array of objects, or one object over many lines"
    )
