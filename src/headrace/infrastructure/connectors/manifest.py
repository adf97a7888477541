"""The manifest of files: which files make up a target, their hashes, their schema, and the ledger. Not how they are written.

Readers need it not; they may use it to read exactly one state of a target whose files lie in several folders.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Enum, List, Null, String, Struct, parse_type
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.ledger import Ledger, from_json, to_json
from headrace.records import record

NAME = "_manifest.json"
VERSION = 1


@record
class DataFile:
    """A file of a target: its path in it, what it holds, and the number of the schema that it was written with."""

    path: str
    rows: int
    bytes: int
    sha256: str
    schema: int


@record
class Manifest:
    """A state of a target."""

    dialect: Mapping[str, Any]
    schemas: tuple[Schema, ...]
    """Those that files have, older ones first; the last one is the target's."""
    files: tuple[DataFile, ...]
    ledger: Ledger

    @property
    def schema(self) -> Schema:
        return self.schemas[-1]

    @property
    def rows(self) -> int:
        return sum(f.rows for f in self.files)

    def by_schema(self) -> Iterator[tuple[Schema, tuple[DataFile, ...]]]:
        for number, schema in enumerate(self.schemas):
            if files := tuple(f for f in self.files if f.schema == number):
                yield schema, files

    def pruned(self) -> Manifest:
        """The same without schemas that no file has any more."""
        used = sorted({f.schema for f in self.files} | {len(self.schemas) - 1})
        number = {old: new for new, old in enumerate(used)}
        files = tuple(replace(f, schema=number[f.schema]) for f in self.files)
        return replace(self, schemas=tuple(self.schemas[i] for i in used), files=files)

    def to_json(self) -> dict[str, Any]:
        return {
            "headrace": VERSION,
            "layout": dict(self.dialect),
            "schema": [_column(c) for c in self.schema],
            "rows": self.rows,
            "files": [
                {"path": f.path, "rows": f.rows, "bytes": f.bytes, "sha256": f.sha256, "schema": f.schema} for f in self.files
            ],
            "schemas": [[_column(c) for c in schema] for schema in self.schemas],
            "ledger": [to_json(entry) for entry in self.ledger],
        }


def encode(written: Mapping[str, Any]) -> bytes:
    return json.dumps(written, indent=1, ensure_ascii=False).encode() + b"\n"


def read(path: Path) -> dict[str, Any] | None:
    """The JSON of a manifest, or None when there is none. Raises when it is not one that this version understands."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return understood(str(path), text)


def understood(place: str, text: bytes) -> dict[str, Any]:
    """The JSON of a manifest. Raises when it is not one that this version understands."""
    try:
        written = json.loads(text)
        version = written["headrace"]
    except (ValueError, KeyError, TypeError):
        raise NonRetryableError(
            f"{place}: is not a manifest of Headrace", hint="move the target away, or publish elsewhere"
        ) from None
    if version != VERSION:
        hint = "use the version of Headrace that wrote it, or a newer one"
        raise NonRetryableError(f"{place}: has format version {version}, and this version knows {VERSION}", hint=hint)
    return dict(written)


def has_state(written: Mapping[str, Any]) -> bool:
    """Whether anything was published yet: a manifest may be there only to say who may publish."""
    return "files" in written


def decode(written: Mapping[str, Any]) -> Manifest:
    dialect = {k: tuple(v) if isinstance(v, list) else v for k, v in written["layout"].items()}
    return Manifest(
        dialect,
        tuple(Schema(tuple(map(_to_column, columns))) for columns in written["schemas"]),
        tuple(DataFile(f["path"], f["rows"], f["bytes"], f["sha256"], f["schema"]) for f in written["files"]),
        tuple(map(from_json, written["ledger"])),
    )


def _column(column: Column) -> dict[str, Any]:
    known = {
        "name": column.name,
        "type": _type(column.type),
        "nullable": column.nullable,
        "classification": column.classification,
    }
    return {k: v for k, v in known.items() if v is not None}


def _to_column(written: Mapping[str, Any]) -> Column:
    return Column(written["name"], _to_type(written["type"]), written["nullable"], written.get("classification"))


def _type(kind: DataType) -> Any:
    """A type as it is in a file, where an enum is text. Nested ones are no text, in which a name could be mistaken."""
    match kind:
        case Enum() | Null():
            return str(String())
        case List():
            return {"list": _type(kind.item)}
        case Struct():
            return {"struct": [[name, _type(field)] for name, field in kind.fields]}
    return str(kind)


def _to_type(written: Any) -> DataType:
    if isinstance(written, str):
        return parse_type(written)
    if "list" in written:
        return List(_to_type(written["list"]))
    return Struct(tuple((name, _to_type(field)) for name, field in written["struct"]))
