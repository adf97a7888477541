"""The port of the register of backfills: what was asked for, and the runs that came of it. Not how a range is taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from headrace.records import record


@record
class KnownBackfill:
    """A backfill as it was asked for. `keys` are those of its runs, by the value of the parameter."""

    id: str
    pipeline: str
    param: str
    asked: str
    """The range or list as it was written."""
    keys: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""


class Backfills(Protocol):
    """Asking for the same twice keeps the first."""

    def keep(self, backfill: KnownBackfill) -> None: ...

    def all(self) -> Sequence[KnownBackfill]:
        """The latest first."""
        ...

    def runs(self, backfill: KnownBackfill) -> Mapping[str, str]:
        """The ids of the runs that were asked for so far, by the value of the parameter."""
        ...
