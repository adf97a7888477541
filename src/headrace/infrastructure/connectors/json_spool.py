"""Lays records down as lines of JSON, one lot in memory at a time, and keeps where each came from. Not who gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from headrace.business.fetched import Fetched, FetchedScan
from headrace.business.model.schema import did_you_mean
from headrace.business.ports import InputFile, JsonScan
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.json import Json

#: Files are no longer than this, so that one that has to be read with care does not hold up the rest.
_FILE_BYTES = 256_000_000


class Lot(Protocol):
    """Records that came together, each as a line of JSON."""

    @property
    def label(self) -> str:
        """Where they came from, for people."""
        ...

    @property
    def records(self) -> Sequence[str]: ...


def keys_of(lots: Iterable[Lot]) -> tuple[str, ...]:
    """The keys of the records, in the order in which they come."""
    keys: dict[str, None] = {}
    for lot in lots:
        for record in lot.records:
            value = json.loads(record)
            if isinstance(value, dict):
                keys |= dict.fromkeys(value)
    return tuple(keys)


def lay_down(pages: Iterable[Lot], folder: Path) -> tuple[tuple[InputFile, ...], Sequence[tuple[int, int, str]]]:
    """The files, and of each lot the index of its file, its first record there, and its name."""
    files: list[Path] = []
    places: list[tuple[int, int, str]] = []
    out, written, lines = None, _FILE_BYTES, 0
    try:
        for page in pages:
            if not page.records:
                continue
            if written >= _FILE_BYTES:
                if out is not None:
                    out.close()
                files.append(folder / f"fetched-{len(files)}.jsonl")
                out, written, lines = files[-1].open("wb"), 0, 0
            places.append((len(files) - 1, lines + 1, page.label))
            text = "\n".join(page.records).encode(errors="surrogatepass") + b"\n"
            if out is not None:
                out.write(text)
            written += len(text)
            lines += len(page.records)
    finally:
        if out is not None:
            out.close()
    return tuple(_input(file) for file in files), places


def _input(file: Path) -> InputFile:
    about = file.stat()
    return InputFile(str(file), about.st_size, about.st_mtime_ns)


def as_planned(scan: FetchedScan, keys: Sequence[str], pages: Iterable[Lot], folder: Path, *, open_ended: bool) -> Fetched:
    """What the lots hold, with the columns that the scan has. Keys that it has not are an error where it was to have all of them."""
    files, places = lay_down(pages, folder)
    if not files:
        return Fetched(JsonScan(scan.schema, (), keys=tuple(keys)), places)
    found = Json(layout="lines", encoding="utf-8", compression="none").scan(files)
    more = [key for key in found.keys if key not in keys]
    if more and open_ended:
        raise NonRetryableError(
            f"{scan.origin}: a record has the key `{more[0]}`, which the first ones have not",
            hint=f"name all that are wanted: `columns: [{', '.join((*keys, *more))[:400]}]`; {did_you_mean(more[0], list(keys))}",
        )
    return Fetched(JsonScan(scan.schema, files, keys=tuple(keys), plain=found.plain, tidy=found.tidy), places)
