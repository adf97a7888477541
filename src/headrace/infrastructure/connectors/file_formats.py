"""Which format a file has by its name, and which options belong to it. The formats themselves are in `formats`, loaded on use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from headrace.business.model.schema import did_you_mean
from headrace.business.ports import Format

FormatName = Literal["csv", "tsv", "json", "jsonl", "parquet", "arrow", "avro", "excel"]

_CLASSES: dict[FormatName, str] = {
    "csv": "delimited:Delimited", "tsv": "delimited:TabSeparated", "json": "json:Json", "jsonl": "json:JsonLines",
    "parquet": "parquet:Parquet", "arrow": "arrow:Arrow", "avro": "avro:Avro", "excel": "excel:Excel",
}  # fmt: skip

_ENDINGS: dict[str, FormatName] = {
    ".csv": "csv", ".txt": "csv", ".dat": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow", ".avro": "avro",
    ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip

_PACKED = (".gz", ".gzip", ".zst", ".zstd", ".bz2")


def guessed(paths: Iterable[str]) -> FormatName | None:
    """The format that the names of all these files, or the pattern that they match, suggest; None when they suggest several or none."""
    found = {_by_name(path) for path in paths}
    return found.pop() if len(found) == 1 else None


def _by_name(path: str) -> FormatName | None:
    name = path.lower().rstrip("*")
    for packed in _PACKED:
        name = name.removesuffix(packed)
    dot = name.rfind(".")
    return _ENDINGS.get(name[dot:]) if dot >= 0 else None


def format_of(name: FormatName, options: Mapping[str, Any]) -> Format:
    """The format with these options. Raises `ValueError` for an option that it does not have, or a value that it refuses."""
    module, _, kind = _CLASSES[name].partition(":")
    model = cast("type[BaseModel]", getattr(import_module(f"headrace.infrastructure.formats.{module}"), kind))
    for option in options:
        if option not in model.model_fields:
            owners = [other for other in _CLASSES if option in _options_of(other)]
            raise ValueError(
                f"`{option}` means nothing for {name}; it is for {', '.join(owners)}. {did_you_mean(option, model.model_fields)}"
            )
    try:
        return cast("Format", model(**options))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"`{first['loc'][0]}`: {first['msg'].removeprefix('Value error, ')}") from None


def _options_of(name: FormatName) -> Iterable[str]:
    module, _, kind = _CLASSES[name].partition(":")
    return cast("type[BaseModel]", getattr(import_module(f"headrace.infrastructure.formats.{module}"), kind)).model_fields
