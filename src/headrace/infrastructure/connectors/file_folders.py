"""Finds columns in the names of folders, as partitioned data have them: `month=1/day=2/part.parquet`. It opens no file."""

from __future__ import annotations

import datetime
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Date, Integer, String
from headrace.business.ports import FileScan, Folders, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import is_address

#: The folder of rows whose value is null, as Hive calls it.
NULL = "__HIVE_DEFAULT_PARTITION__"

Pairs = tuple[tuple[str, str | None], ...]
AnyScan = TypeVar("AnyScan", bound=FileScan)


def with_folders(scan: AnyScan, project: Path, written: Sequence[str], *, wanted: bool | None) -> AnyScan:
    """The scan with the columns of its folders. Unless they are wanted, they come only where all files have the same."""
    if wanted is False:
        return scan
    roots = _roots(project, written)
    pairs = {file.path: _pairs(file, roots) for file in scan.files}
    names = {tuple(name for name, _ in found) for found in pairs.values()}
    if len(names) != 1 or not (keys := names.pop()) or len({key.lower() for key in keys}) < len(keys):
        if wanted:
            raise NonRetryableError(
                f"the files of {', '.join(written)} do not all lie in folders of the same names, such as `month=1`",
                hint="leave `partitioned` out, or read them as several sources",
            )
        return scan
    values = {path: dict(found) for path, found in pairs.items()}
    inside = {name.lower() for name in scan.schema.names}
    columns = tuple(Column(key, _type(found[key] for found in values.values())) for key in keys if key.lower() not in inside)
    notes = [f"`{key}` is a column and a folder; the column counts" for key in keys if key.lower() in inside]
    folders = Folders(columns, {path: tuple(found[c.name] for c in columns) for path, found in values.items()})
    shown = columns if not scan.text else tuple(Column(c.name, String()) for c in columns)
    return replace(scan, schema=Schema((*scan.schema, *shown)), folders=folders, notes=(*scan.notes, *notes))


def _roots(project: Path, written: Iterable[str]) -> list[str]:
    """The folders below which names mean columns: what stands before them was named by the user, as a place."""
    roots = []
    for path in written:
        if is_address(path):
            roots.append(path)
            continue
        whole = os.path.abspath(project / path)  # noqa: PTH100 - links are not followed, as in the listing
        parts = Path(whole).parts
        first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), None)
        if os.path.isdir(whole):  # noqa: PTH112
            roots.append(whole)
        elif first is not None and not os.path.lexists(whole):
            roots.append(str(Path(*parts[:first])))
    return sorted(roots, key=len, reverse=True)


def _pairs(file: InputFile, roots: Iterable[str]) -> Pairs:
    path = Path(file.name)
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None:
        return ()
    written = [part.partition("=") for part in path.relative_to(root).parts[:-1]]
    return tuple(
        (unquote(name), None if value == NULL else unquote(value)) for name, equals, value in written if name and equals
    )


def _type(values: Iterable[str | None]) -> DataType:
    """Whole numbers and dates as they are written, with nothing that would be lost; everything else is text."""
    found = {value for value in values if value is not None}
    if found and all(_is_integer(value) for value in found):
        return Integer(64)
    return Date() if found and all(_is_date(value) for value in found) else String()


def _is_integer(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit() and str(int(value)) == value and abs(int(value)) < 2**63


def _is_date(value: str) -> bool:
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
