"""The history of checks: what each measured in earlier runs. Anomalies are judged against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from headrace.bus.store import EventStore

History = Mapping[tuple[str, str], Sequence[tuple[datetime, Mapping[str, Any]]]]


def check_history(store: EventStore, pipeline: str) -> History:
    """By check and its version, the values of earlier runs that were published, oldest first."""
    measured: dict[tuple[str, str], list[tuple[str, str, datetime, Mapping[str, Any]]]] = {}
    of_pipeline: set[str] = set()
    published: set[str] = set()
    types = ("pipeline.started/1", "quality.checked/1", "pipeline.completed/1")
    for event in store.read(types=types):
        if event.type == "pipeline.started/1" and event.data["pipeline"] == pipeline:
            of_pipeline.add(event.stream)
        elif event.stream in of_pipeline and event.type == "pipeline.completed/1":
            published.add(event.stream)
        elif event.stream in of_pipeline and event.type == "quality.checked/1":
            measured.setdefault((event.data["check"], event.data["version"]), []).append(
                (event.stream, event.data["outcome"], event.at, event.data["values"])
            )
    return {
        check: [(at, values) for stream, outcome, at, values in rows if stream in published and outcome != "error"]
        for check, rows in measured.items()
    }
