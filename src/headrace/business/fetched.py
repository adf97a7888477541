"""Rows that lie in no file yet and are fetched when a run reads them: what a run wants of them, and what it is given. Not a port of its
own: a source that is `Scannable` gives such a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import ClassVar, Protocol

from headrace.business.model.types import DataType
from headrace.business.ports import JsonScan, Scan
from headrace.records import record
from headrace.resilience.backoff import RetryPolicy


@record
class Wanted:
    """What a run wants of rows that are fetched for it, and how often to try when something fails."""

    floor: str | None = None
    """Rows whose cursor is below this value are not wanted any more; None for all rows."""
    retry: RetryPolicy = RetryPolicy()


@record
class Fetched:
    """Rows that were fetched: files of JSON with the columns of the scan that they were fetched for, and where the records came from.

    `pages` has for each page the index of its file, the number of its first record there, counted from 1, and its name for people.
    """

    scan: JsonScan
    pages: Sequence[tuple[int, int, str]]


class FetchRows(Protocol):
    """Fetches rows anew and lays them down in a folder. As a sample, only the first of them."""

    def __call__(self, folder: Path, wanted: Wanted, *, sample: bool = False) -> Fetched: ...


@record
class FetchedScan(Scan):
    """Records that lie in no file yet: they are fetched when they are read. Scalars arrive as text, nested values as JSON text."""

    text: ClassVar[bool] = True
    hints: Mapping[str, DataType] = field(default_factory=dict, kw_only=True)
    """The types that the source says its columns have."""
    fetch: FetchRows = field(kw_only=True, compare=False, repr=False)
    origin: str = field(default="", kw_only=True)
