"""The port of what holds schedules up: which pipelines are paused, by whom, and how far each schedule has come. Not when they tick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headrace.records import record


@record
class Paused:
    """Who keeps a pipeline from running, and since when (ISO 8601, UTC)."""

    by: str
    at: str


class Pauses(Protocol):
    """Runs of a paused pipeline wait in the queue; whoever carries one out already goes on."""

    def pause(self, pipeline: str, by: str) -> bool:
        """Whether it was not paused before."""
        ...

    def resume(self, pipeline: str) -> bool:
        """Whether it was paused before."""
        ...

    def paused(self) -> Mapping[str, Paused]:
        """The pipelines that are paused."""
        ...

    def last_ticks(self) -> Mapping[str, str]:
        """How far the schedule of each pipeline has come (ISO 8601, UTC)."""
        ...
