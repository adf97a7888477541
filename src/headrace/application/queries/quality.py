"""The history of checks: what each measured in earlier runs. Anomalies are judged against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from headrace.application.queries.records import Records

History = Mapping[tuple[str, str], Sequence[tuple[datetime, Mapping[str, Any]]]]


def check_history(records: Records, pipeline: str) -> History:
    """By check and its version, the values of earlier runs that were published, oldest first."""
    measured: dict[tuple[str, str], list[tuple[datetime, Mapping[str, Any]]]] = {}
    for found in records.views.measured(pipeline):
        rows = measured.setdefault((found.check, found.version), [])
        if found.published and found.outcome != "error":
            rows.append((found.at, found.values))
    return measured
