"""The queue of runs on the state database. Every decision is made in the only writing transaction, together with its events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from headrace.application.orchestrator import failpoints
from headrace.application.orchestrator.queue import KeptDefinition, Lease, Outstanding, RunRequest, Worker
from headrace.bus.events import Event, PipelineCancelledEvent
from headrace.bus.lifecycle import (
    CancelRequestedEvent,
    PipelineReopenedEvent,
    PipelineWaitingEvent,
)
from headrace.bus.store import Envelope
from headrace.business.model.run import may_follow
from headrace.errors import NonRetryableError
from headrace.infrastructure.storage.claiming import any_ready, would_change
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.kept_definitions import kept_definition
from headrace.infrastructure.storage.processes import is_gone
from headrace.infrastructure.storage.queue_decisions import Decision
from headrace.infrastructure.storage.queue_rows import request_of

T = TypeVar("T")


class DatabaseRunQueue:
    """See the port. `told` hears of every event that an operation has committed."""

    def __init__(self, database: Database, told: Callable[[Sequence[Envelope]], object] = lambda _events: None) -> None:
        self.database, self.told = database, told

    # Asking for runs -------------------------------------------------------------------------------------------------

    def submit(self, request: RunRequest) -> str:
        return self._write(lambda tx: (tx.submit(request), tx.events))

    def start(self, request: RunRequest, worker: Worker) -> Lease | None:
        """Accept a run and take it, in one act; None when it has to wait for its turn."""
        return self._write(lambda tx: (tx.claim(worker, tx.submit(request)), tx.events))

    def has_ready(self, worker: Worker, run_id: str | None = None) -> bool:
        if not self.database.exists():
            return False
        if run_id is not None:
            return self.database.read(lambda db: would_change(db, worker, run_id, time.time()))
        with self.database.reading() as db:
            return any_ready(db, worker, time.time())

    def claim(self, worker: Worker, run_id: str | None = None) -> Lease | None:
        def act(tx: Decision) -> tuple[Lease | None, list[Envelope]]:
            lease = tx.claim(worker, run_id)
            if lease is not None:
                failpoints.reached("claiming")
            return lease, tx.events

        return self._write(act)

    def reopen(self, request: RunRequest, how: str, by: str) -> None:
        def act(tx: Decision) -> tuple[None, list[Envelope]]:
            if tx.row(request.run_id) is not None:
                raise NonRetryableError(f"run {request.run_id} has not ended", hint="`headrace runs cancel` stops it")
            state = tx.state_on_record(request.run_id)
            if not may_follow(state, "queued"):
                raise NonRetryableError(f"run {request.run_id} has {state} and is not run again", hint="ask for a new run")
            tx.insert(request, "queued")
            kept = request.definition.fingerprint if request.definition else None
            tx.append(request.run_id, [PipelineReopenedEvent(request.run_id, how, by, kept)], request.origin)
            return None, tx.events

        self._write(act)

    # Carrying them out -----------------------------------------------------------------------------------------------

    def renew(self, lease: Lease) -> bool:
        def act(tx: Decision) -> tuple[bool, list[Envelope]]:
            row = tx.mine(lease)
            tx.hold(lease)
            return row["state"] == "cancelling", tx.events

        return self._write(act)

    def is_cancelling(self, lease: Lease) -> bool:
        with self.database.reading() as db:
            return bool(Decision(db).mine(lease)["state"] == "cancelling")

    def append(self, lease: Lease, events: Sequence[Event]) -> Sequence[Envelope]:
        def act(tx: Decision) -> tuple[list[Envelope], list[Envelope]]:
            row = tx.mine(lease)
            tx.hold(lease)
            tx.tell(row, events)
            failpoints.reached("appending")
            return tx.events, tx.events

        appended = self._write(act)
        failpoints.reached("appended")
        return appended

    def postpone(self, lease: Lease, reason: str, not_before: float) -> None:
        def act(tx: Decision) -> tuple[None, list[Envelope]]:
            row = tx.mine(lease)
            tx.free(row, "waiting", reason, not_before)
            until = datetime.fromtimestamp(not_before, UTC).isoformat() if not_before else None
            tx.append(lease.run_id, [PipelineWaitingEvent(lease.run_id, reason, until)], lease.request.origin)
            return None, tx.events

        self._write(act)

    # Stopping and burying --------------------------------------------------------------------------------------------

    def cancel(self, run_id: str, by: str) -> str:
        def act(tx: Decision) -> tuple[str, list[Envelope]]:
            row = tx.row(run_id)
            if row is None:
                return "", []
            if row["state"] in ("queued", "waiting"):
                tx.tell(row, [PipelineCancelledEvent(run_id, pipeline=row["pipeline"], why=f"by {by}")])
                return "cancelled", tx.events
            if row["state"] == "running":
                tx.tell(row, [CancelRequestedEvent(run_id, by)])
            return "cancelling", tx.events

        return self._write(act)

    def reap(self, worker: Worker, *, resume: bool) -> Sequence[str]:
        def act(tx: Decision) -> tuple[list[str], list[Envelope]]:
            lost = tx.lost_ones()
            for row in lost:
                gone = is_gone(row["worker"])
                why = "its process is gone" if gone else "it was not heard of for the time of its lease"
                tx.take_away(row, worker, why, resume=resume)
            return [row["run_id"] for row in lost], tx.events

        return self._write(act) if self.database.read(lambda db: Decision(db).lost_ones()) else []

    # Asking ----------------------------------------------------------------------------------------------------------

    def abandon(self, lease: Lease, worker: Worker, why: str) -> bool:
        def act(tx: Decision) -> tuple[bool, list[Envelope]]:
            row = tx.row(lease.run_id)
            if row is None or row["token"] != lease.token or not row["worker"]:
                return False, []
            tx.take_away(row, worker, why, resume=True)
            return True, tx.events

        return self._write(act)

    def outstanding(self) -> Sequence[Outstanding]:
        if not self.database.exists():
            return []
        with self.database.reading() as db:
            query = "select run_id, pipeline, state, reason, worker, attempt, priority from queue order by queued_at, run_id"
            return [Outstanding(*row) for row in db.rows(query)]

    def request(self, run_id: str) -> RunRequest | None:
        def look(db: Transaction) -> RunRequest | None:
            row = Decision(db).row(run_id)
            return request_of(db, row) if row else None

        return self.database.read(look)

    def definition(self, fingerprint: str) -> KeptDefinition | None:
        with self.database.reading() as db:
            return kept_definition(db, fingerprint)

    def _write(self, decide: Callable[[Decision], tuple[T, list[Envelope]]]) -> T:
        landed: list[tuple[T, list[Envelope]]] = []

        def act(db: Transaction) -> tuple[T, list[Envelope]]:
            landed.append(decide(Decision(db)))
            return landed[-1]

        def is_there(db: Transaction) -> tuple[T, list[Envelope]] | None:
            last = landed[-1][1][-1:] if landed else []
            found = [db.rows("select hash from events where position = :position", {"position": e.position}) for e in last]
            return landed[-1] if found and found[0] and found[0][0][0] == last[0].hash else None

        result, events = self.database.write(act, is_there)
        self.told(events)
        return result
