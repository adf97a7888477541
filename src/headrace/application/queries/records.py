"""The port to what happened in a project: its log, and the read side that questions are answered from. Not the answers themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from headrace.application.queries.runs import RunTable
from headrace.bus.store import EventStore
from headrace.records import record


@record
class Measurement:
    """What a check measured in a run, and whether that run was published."""

    check: str
    version: str
    outcome: str
    at: datetime
    values: Mapping[str, Any]
    published: bool


@record
class ReplayNote:
    """Rows that were about to leave quarantine (`intended`), or left it (`replayed`)."""

    run_id: str
    kind: str
    from_run: str
    dataset: str
    rows: Sequence[str]
    checkpoints: Mapping[str, str]


class ReadSide(RunTable, Protocol):
    """Tables that are made of the events and brought up to date before each answer. They outlive the events that they were made of."""

    def measured(self, pipeline: str) -> Sequence[Measurement]:
        """What the checks of a pipeline measured, oldest first."""
        ...

    def replays(self) -> Sequence[ReplayNote]:
        """All replays of rows that were held back, oldest first."""
        ...


class Records(EventStore, Protocol):
    """The log of a project with its read side."""

    @property
    def views(self) -> ReadSide: ...
