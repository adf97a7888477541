"""What is decided of the runs in the queue, in one transaction with the events that tell of it. Not who asks, nor how it is committed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace.application.orchestrator.queue import Lease, RunRequest, Worker
from headrace.application.queries.runs import PROCESS_DIED
from headrace.bus.events import Event, PipelineCancelledEvent, PipelineFailedEvent
from headrace.bus.lifecycle import LeaseLostEvent, PipelineClaimedEvent, PipelineQueuedEvent, PipelineWaitingEvent
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.business.model.run import AFTER, ENDED, may_follow
from headrace.errors import LeaseLost, NonRetryableError
from headrace.infrastructure.storage.claiming import choose
from headrace.infrastructure.storage.database import Transaction
from headrace.infrastructure.storage.event_rows import append_in
from headrace.infrastructure.storage.kept_definitions import keep_definition
from headrace.infrastructure.storage.queue_rows import COLUMNS, is_lost, origin_of, request_of, row_of

#: The token of the next claim, and by whom it is issued.
_NEXT_CLAIM = (
    "update marks set number = number + 1 where name = 'token' returning number, (select text from marks where name = 'issuer')"
)


class Decision:
    """The transaction, and the events that were appended so far."""

    def __init__(self, db: Transaction) -> None:
        self.db = db
        self.events: list[Envelope] = []

    def submit(self, request: RunRequest) -> str:
        if request.key is not None:
            values = {"key": request.key, "run_id": request.run_id, "at": datetime.now(UTC).isoformat()}
            self.db.put(
                "insert into run_keys (key, run_id, at) values (:key, :run_id, :at) on conflict (key) do nothing", values
            )
            first = str(self.db.rows("select run_id from run_keys where key = :key", values)[0][0])
            if first != request.run_id:
                return first
        self.insert(request, "queued")
        told = PipelineQueuedEvent(
            request.run_id,
            pipeline=request.pipeline,
            trigger=request.trigger,
            definition=request.definition.fingerprint if request.definition else None,
            params=request.params,
            priority=request.priority,
            key=request.key,
            options=request.options,
            slots=request.slots,
            concurrency=request.concurrency,
            timeout_seconds=request.timeout_seconds,
        )
        self.append(request.run_id, [told], request.origin)
        return request.run_id

    def insert(self, request: RunRequest, state: str) -> None:
        kept = request.definition
        if kept is not None:
            keep_definition(self.db, kept)
        self.db.insert("queue", [row_of(request, state)])

    def claim(self, worker: Worker, run_id: str | None) -> Lease | None:
        chosen, blocked = choose(self.db, worker, run_id, time.time())
        for waiting in blocked:
            self.wait(waiting.run_id, waiting.reason)
        if chosen is None:
            return None
        token, issuer = self.db.rows(_NEXT_CLAIM)[0]
        row = self.row(chosen)
        if row is None:
            return None
        attempt = row["attempt"] + 1
        state = "cancelling" if row["state"] == "cancelling" else "running"
        values = {"run_id": chosen, "worker": worker.name, "token": token, "attempt": attempt, "state": state}
        clock, now = self.db.lease_clock()
        held = {"clock": clock, "until": now + worker.lease_seconds}
        self.db.put(
            "update queue set state = :state, reason = '', worker = :worker, token = :token, attempt = :attempt, lease_clock = :clock, "
            "lease_until = :until where run_id = :run_id",
            values | held,
        )
        self.db.put(
            "insert into turns (pipeline, token) values (:pipeline, :token) on conflict (pipeline) do update set token = excluded.token",
            {"pipeline": row["pipeline"], "token": token},
        )
        request = request_of(self.db, row)
        self.append(chosen, [PipelineClaimedEvent(chosen, worker.name, token, attempt)], request.origin)
        return Lease(request, worker.name, issuer, token, attempt, worker.lease_seconds)

    def wait(self, run_id: str, reason: str) -> None:
        """Say why a run waits, if it was not said before."""
        changed = self.db.run(
            "update queue set state = 'waiting', reason = :reason where run_id = :run_id and reason <> :reason",
            {"run_id": run_id, "reason": reason},
        )
        if changed:
            self.append(run_id, [PipelineWaitingEvent(run_id, reason)], origin_of(self.row(run_id) or {}))

    def mine(self, lease: Lease) -> dict[str, Any]:
        row = self.row(lease.run_id)
        if row is None or row["token"] != lease.token or row["state"] not in ("running", "cancelling"):
            raise LeaseLost(
                f"run {lease.run_id} is no longer ours: its lease was lost",
                hint="another worker goes on with it, or it has ended; `headrace runs show` tells",
            )
        return row

    def hold(self, lease: Lease) -> None:
        clock, now = self.db.lease_clock()
        values = {"run_id": lease.run_id, "clock": clock, "until": now + lease.seconds}
        self.db.put("update queue set lease_clock = :clock, lease_until = :until where run_id = :run_id", values)

    def tell(self, row: Mapping[str, Any], events: Sequence[Event]) -> None:
        """Append events that may change the run's state; a terminal one ends it."""
        state = row["state"]
        for event in events:
            following = AFTER.get(event.written.partition("/")[0], state)
            if following == "running" and state == "cancelling":
                continue
            if following != state and not may_follow(state, following):
                raise NonRetryableError(f"run {row['run_id']} is {state} and cannot become {following}")
            state = following
        self.append(row["run_id"], events, origin_of(row))
        if state in ENDED:
            self.db.put("delete from queue where run_id = :run_id", {"run_id": row["run_id"]})
        elif state != row["state"]:
            self.db.put("update queue set state = :state where run_id = :run_id", {"state": state, "run_id": row["run_id"]})

    def take_away(self, row: Mapping[str, Any], worker: Worker, why: str, *, resume: bool) -> None:
        run_id = row["run_id"]
        self.append(run_id, [LeaseLostEvent(run_id, row["worker"], row["token"], why)], origin_of(row))
        if row["state"] == "cancelling":
            self.free(row, "cancelling", "", 0.0)
            self.tell({**row, "state": "cancelling"}, [PipelineCancelledEvent(run_id, pipeline=row["pipeline"], why=why)])
        elif resume and row["definition"] and self.lost(run_id) < worker.attempts and row["host"] in (None, worker.host):
            self.free(row, "waiting", "taken from a worker that was lost", 0.0)
        else:
            workers = self.lost(run_id)
            lost = "the process of this run died" if workers == 1 else f"{workers} workers were lost over this run"
            hint = "the next run does again what it had not published; `headrace runs resume` goes on with this one"
            failed = PipelineFailedEvent(run_id, lost, pipeline=row["pipeline"], error=PROCESS_DIED, hint=hint)
            self.tell({**row, "state": "running"}, [failed])

    def lost(self, run_id: str) -> int:
        """How many workers were lost over a run since somebody asked for it, or asked for it again."""
        query = (
            "select count(*) from events where stream = :run_id and type = 'pipeline.lease_lost/1' and number > (select "
            "coalesce(max(number), 0) from events where stream = :run_id and type in ('pipeline.queued/1', 'pipeline.reopened/1'))"
        )
        return int(self.db.rows(query, {"run_id": run_id})[0][0])

    def free(self, row: Mapping[str, Any], state: str, reason: str, not_before: float) -> None:
        """Nobody holds it from here on. The token stays, and is too small for whoever held it as soon as the next claim is made."""
        values = {"run_id": row["run_id"], "state": state, "reason": reason, "not_before": not_before}
        self.db.put(
            "update queue set state = :state, reason = :reason, not_before = :not_before, worker = '', lease_until = 0 "
            "where run_id = :run_id",
            values,
        )

    def held(self) -> list[dict[str, Any]]:
        query = f"select {', '.join(COLUMNS)} from queue where state in ('running', 'cancelling') and worker <> ''"
        return [dict(zip(COLUMNS, row, strict=True)) for row in self.db.rows(query)]

    def lost_ones(self) -> list[dict[str, Any]]:
        """The runs whose workers are not heard of any more."""
        clock, now = self.db.lease_clock()
        return [row for row in self.held() if is_lost(row, clock, now)]

    def row(self, run_id: str) -> dict[str, Any] | None:
        found = self.db.rows(f"select {', '.join(COLUMNS)} from queue where run_id = :run_id", {"run_id": run_id})
        return dict(zip(COLUMNS, found[0], strict=True)) if found else None

    def state_on_record(self, run_id: str) -> str:
        """What its events have made of a run; empty for one that never was."""
        state = ""
        for (kind,) in self.db.rows("select type from events where stream = :run_id order by number", {"run_id": run_id}):
            state = AFTER.get(kind.partition("/")[0], state)
        return state

    def append(self, run_id: str, events: Sequence[Event], origin: Origin = UNKNOWN) -> None:
        self.events += append_in(self.db, run_id, events, origin=origin)
