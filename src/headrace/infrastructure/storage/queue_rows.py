"""The rows of the queue: a run that was asked for as a row of the table, and a row as the request that it was. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from headrace.application.orchestrator.queue import RunRequest
from headrace.bus.store import UNKNOWN, Origin
from headrace.infrastructure.storage.database import Transaction
from headrace.infrastructure.storage.kept_definitions import kept_definition
from headrace.infrastructure.storage.processes import is_gone

COLUMNS = (
    "run_id", "pipeline", "state", "reason", "priority", "not_before", "queued_at", "definition", "project", "host", "params",
    "options", "trigger_", "slots", "concurrency", "timeout_seconds", "attempt", "token", "worker", "claim", "lease_clock", "lease_until",
)  # fmt: skip
#: Among the options of a queued run: what its events belong to (see `Origin`).
_BELONGS_TO = "belongs to"


def row_of(request: RunRequest, state: str) -> dict[str, Any]:
    """A run that nobody carries out yet."""
    kept = request.definition
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values |= {name: getattr(request, name) for name in ("run_id", "pipeline", "priority", "not_before", "project", "host")}
    values |= {"concurrency": request.concurrency, "timeout_seconds": request.timeout_seconds, "trigger_": request.trigger}
    options = {**request.options, **({_BELONGS_TO: request.origin.correlation_id} if request.origin.correlation_id else {})}
    values |= {name: json.dumps(dict(getattr(request, name)), default=str) for name in ("params", "slots")}
    values |= {"options": json.dumps(options, default=str)}
    values |= {"state": state, "reason": "", "queued_at": _utc(), "definition": kept.fingerprint if kept else None}
    values |= {"attempt": 0, "token": 0, "worker": "", "claim": "", "lease_clock": "", "lease_until": 0.0}
    return values


def origin_of(row: Mapping[str, Any]) -> Origin:
    """What the events of a run belong to, besides the run."""
    belongs_to = json.loads(row.get("options") or "{}").get(_BELONGS_TO, "")
    return Origin(correlation_id=belongs_to) if belongs_to else UNKNOWN


def request_of(db: Transaction, row: Mapping[str, Any]) -> RunRequest:
    options = {name: value for name, value in json.loads(row["options"]).items() if name != _BELONGS_TO}
    return RunRequest(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        project=row["project"],
        definition=kept_definition(db, row["definition"]),
        params=json.loads(row["params"]),
        options=options,
        trigger=row["trigger_"],
        priority=row["priority"],
        host=row["host"],
        slots=json.loads(row["slots"]),
        concurrency=row["concurrency"],
        timeout_seconds=row["timeout_seconds"],
        origin=origin_of(row),
    )


def is_lost(row: Mapping[str, Any], clock: str, now: float) -> bool:
    """Whether who carries it out is not heard of any more."""
    return row["lease_clock"] != clock or row["lease_until"] < now or is_gone(row["worker"])


def _utc() -> str:
    return datetime.now(UTC).isoformat()
