"""What the plan asks of any sink, whether it takes whole results or the output of streams. Not how rows reach it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from headrace.business.model.schema import Schema


@runtime_checkable
class Target(Protocol):
    """A place for rows."""

    def target(self, project: Path) -> str:
        """Where it goes, in words for people, without secrets."""
        ...

    def problems(self, schema: Schema) -> Iterable[str]:
        """What keeps this schema from being published here; asked while planning."""
        ...
