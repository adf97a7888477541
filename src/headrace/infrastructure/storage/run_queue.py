"""The queue of runs on the state database. Every decision is made in the only writing transaction, together with its events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from headrace.application.orchestrator import failpoints
from headrace.application.orchestrator.queue import KeptDefinition, Lease, Outstanding, RunRequest, Worker
from headrace.application.queries.runs import PROCESS_DIED
from headrace.bus.events import Event, PipelineCancelledEvent, PipelineFailedEvent
from headrace.bus.lifecycle import (
    CancelRequestedEvent,
    LeaseLostEvent,
    PipelineClaimedEvent,
    PipelineQueuedEvent,
    PipelineReopenedEvent,
    PipelineWaitingEvent,
)
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.business.model.run import AFTER, ENDED, may_follow
from headrace.errors import LeaseLost, NonRetryableError
from headrace.infrastructure.storage.claiming import any_ready, choose, would_change
from headrace.infrastructure.storage.database import Database, Transaction, parameters
from headrace.infrastructure.storage.event_rows import append_in
from headrace.infrastructure.storage.processes import is_gone

T = TypeVar("T")

_COLUMNS = (
    "run_id", "pipeline", "state", "reason", "priority", "not_before", "queued_at", "definition", "project", "host", "params",
    "options", "trigger_", "slots", "concurrency", "timeout_seconds", "attempt", "token", "worker", "claim", "lease_clock", "lease_until",
)  # fmt: skip
#: Among the options of a queued run: what its events belong to (see `Origin`).
_BELONGS_TO = "belongs to"
#: The token of the next claim, and by whom it is issued.
_NEXT_CLAIM = (
    "update marks set number = number + 1 where name = 'token' returning number, (select text from marks where name = 'issuer')"
)


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
        def act(tx: _Writing) -> tuple[Lease | None, list[Envelope]]:
            lease = tx.claim(worker, run_id)
            if lease is not None:
                failpoints.reached("claiming")
            return lease, tx.events

        return self._write(act)

    def reopen(self, request: RunRequest, how: str, by: str) -> None:
        def act(tx: _Writing) -> tuple[None, list[Envelope]]:
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
        def act(tx: _Writing) -> tuple[bool, list[Envelope]]:
            row = tx.mine(lease)
            tx.hold(lease)
            return row["state"] == "cancelling", tx.events

        return self._write(act)

    def is_cancelling(self, lease: Lease) -> bool:
        with self.database.reading() as db:
            return bool(_Writing(db).mine(lease)["state"] == "cancelling")

    def append(self, lease: Lease, events: Sequence[Event]) -> Sequence[Envelope]:
        def act(tx: _Writing) -> tuple[list[Envelope], list[Envelope]]:
            row = tx.mine(lease)
            tx.hold(lease)
            tx.tell(row, events)
            failpoints.reached("appending")
            return tx.events, tx.events

        appended = self._write(act)
        failpoints.reached("appended")
        return appended

    def postpone(self, lease: Lease, reason: str, not_before: float) -> None:
        def act(tx: _Writing) -> tuple[None, list[Envelope]]:
            row = tx.mine(lease)
            tx.free(row, "waiting", reason, not_before)
            until = datetime.fromtimestamp(not_before, UTC).isoformat() if not_before else None
            tx.append(lease.run_id, [PipelineWaitingEvent(lease.run_id, reason, until)], lease.request.origin)
            return None, tx.events

        self._write(act)

    # Stopping and burying --------------------------------------------------------------------------------------------

    def cancel(self, run_id: str, by: str) -> str:
        def act(tx: _Writing) -> tuple[str, list[Envelope]]:
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
        def act(tx: _Writing) -> tuple[list[str], list[Envelope]]:
            lost = tx.lost_ones()
            for row in lost:
                gone = is_gone(row["worker"])
                why = "its process is gone" if gone else "it was not heard of for the time of its lease"
                tx.take_away(row, worker, why, resume=resume)
            return [row["run_id"] for row in lost], tx.events

        return self._write(act) if self.database.read(lambda db: _Writing(db).lost_ones()) else []

    # Asking ----------------------------------------------------------------------------------------------------------

    def abandon(self, lease: Lease, worker: Worker, why: str) -> bool:
        def act(tx: _Writing) -> tuple[bool, list[Envelope]]:
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
            row = _Writing(db).row(run_id)
            return _request(db, row) if row else None

        return self.database.read(look)

    def definition(self, fingerprint: str) -> KeptDefinition | None:
        with self.database.reading() as db:
            return kept_definition(db, fingerprint)

    def _write(self, decide: Callable[[_Writing], tuple[T, list[Envelope]]]) -> T:
        landed: list[tuple[T, list[Envelope]]] = []

        def act(db: Transaction) -> tuple[T, list[Envelope]]:
            landed.append(decide(_Writing(db)))
            return landed[-1]

        def is_there(db: Transaction) -> tuple[T, list[Envelope]] | None:
            last = landed[-1][1][-1:] if landed else []
            found = [db.rows("select hash from events where position = :position", {"position": e.position}) for e in last]
            return landed[-1] if found and found[0] and found[0][0][0] == last[0].hash else None

        result, events = self.database.write(act, is_there)
        self.told(events)
        return result


class _Writing:
    """One decision: the transaction, and the events that were appended so far."""

    def __init__(self, db: Transaction) -> None:
        self.db = db
        self.events: list[Envelope] = []

    def submit(self, request: RunRequest) -> str:
        if request.key is not None:
            values = {"key": request.key, "run_id": request.run_id, "at": _utc()}
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
        values: dict[str, Any] = dict.fromkeys(_COLUMNS)
        values |= {name: getattr(request, name) for name in ("run_id", "pipeline", "priority", "not_before", "project", "host")}
        values |= {"concurrency": request.concurrency, "timeout_seconds": request.timeout_seconds, "trigger_": request.trigger}
        options = {**request.options, **({_BELONGS_TO: request.origin.correlation_id} if request.origin.correlation_id else {})}
        values |= {name: json.dumps(dict(getattr(request, name)), default=str) for name in ("params", "slots")}
        values |= {"options": json.dumps(options, default=str)}
        values |= {"state": state, "reason": "", "queued_at": _utc(), "definition": kept.fingerprint if kept else None}
        values |= {"attempt": 0, "token": 0, "worker": "", "claim": "", "lease_clock": "", "lease_until": 0.0}
        self.db.insert("queue", [values])

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
        request = _request(self.db, row)
        self.append(chosen, [PipelineClaimedEvent(chosen, worker.name, token, attempt)], request.origin)
        return Lease(request, worker.name, issuer, token, attempt, worker.lease_seconds)

    def wait(self, run_id: str, reason: str) -> None:
        """Say why a run waits, if it was not said before."""
        changed = self.db.run(
            "update queue set state = 'waiting', reason = :reason where run_id = :run_id and reason <> :reason",
            {"run_id": run_id, "reason": reason},
        )
        if changed:
            self.append(run_id, [PipelineWaitingEvent(run_id, reason)], _origin(self.row(run_id) or {}))

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
        self.append(row["run_id"], events, _origin(row))
        if state in ENDED:
            self.db.put("delete from queue where run_id = :run_id", {"run_id": row["run_id"]})
        elif state != row["state"]:
            self.db.put("update queue set state = :state where run_id = :run_id", {"state": state, "run_id": row["run_id"]})

    def take_away(self, row: Mapping[str, Any], worker: Worker, why: str, *, resume: bool) -> None:
        run_id = row["run_id"]
        self.append(run_id, [LeaseLostEvent(run_id, row["worker"], row["token"], why)], _origin(row))
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
        query = f"select {', '.join(_COLUMNS)} from queue where state in ('running', 'cancelling') and worker <> ''"
        return [dict(zip(_COLUMNS, row, strict=True)) for row in self.db.rows(query)]

    def lost_ones(self) -> list[dict[str, Any]]:
        """The runs whose workers are not heard of any more."""
        clock, now = self.db.lease_clock()
        return [row for row in self.held() if _is_lost(row, clock, now)]

    def row(self, run_id: str) -> dict[str, Any] | None:
        found = self.db.rows(f"select {', '.join(_COLUMNS)} from queue where run_id = :run_id", {"run_id": run_id})
        return dict(zip(_COLUMNS, found[0], strict=True)) if found else None

    def state_on_record(self, run_id: str) -> str:
        """What its events have made of a run; empty for one that never was."""
        state = ""
        for (kind,) in self.db.rows("select type from events where stream = :run_id order by number", {"run_id": run_id}):
            state = AFTER.get(kind.partition("/")[0], state)
        return state

    def append(self, run_id: str, events: Sequence[Event], origin: Origin = UNKNOWN) -> None:
        self.events += append_in(self.db, run_id, events, origin=origin)


def keep_definition(db: Transaction, kept: KeptDefinition) -> None:
    columns = ("fingerprint", "pipeline", "project", "file", "text")
    db.put(
        f"insert into definitions ({', '.join(columns)}, at) values ({parameters(columns)}, :at) on conflict (fingerprint) do nothing",
        {name: getattr(kept, name) for name in columns} | {"at": _utc()},
    )


def kept_definition(db: Transaction, fingerprint: str | None) -> KeptDefinition | None:
    query = "select fingerprint, pipeline, project, file, text from definitions where fingerprint = :fingerprint"
    found = db.rows(query, {"fingerprint": fingerprint}) if fingerprint else []
    return KeptDefinition(*found[0]) if found else None


def _origin(row: Mapping[str, Any]) -> Origin:
    """What the events of a run belong to, besides the run."""
    belongs_to = json.loads(row.get("options") or "{}").get(_BELONGS_TO, "")
    return Origin(correlation_id=belongs_to) if belongs_to else UNKNOWN


def _request(db: Transaction, row: Mapping[str, Any]) -> RunRequest:
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
        origin=_origin(row),
    )


def _is_lost(row: Mapping[str, Any], clock: str, now: float) -> bool:
    return row["lease_clock"] != clock or row["lease_until"] < now or is_gone(row["worker"])


def _utc() -> str:
    return datetime.now(UTC).isoformat()
