"""Chooses the next run of the queue: by priority, then whose pipeline was served longest ago, then by age; and says why others wait."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from headrace.application.orchestrator.queue import Worker
from headrace.infrastructure.storage.database import Row, Transaction
from headrace.records import record

#: How many runs are looked at, of each pipeline and in all, before the queue counts as blocked. Those of one pipeline share a fate.
_OF_ONE, _IN_ALL = 5, 500
_READY = "worker = '' and state in ('queued', 'waiting') and not_before <= :now and (host is null or host = :host)"


@record
class Candidate:
    """A run that cannot go on, and why."""

    run_id: str
    reason: str


def choose(db: Transaction, worker: Worker, run_id: str | None, now: float) -> tuple[str | None, Sequence[Candidate]]:
    """The run to carry out now, if any, and those before it that have to wait."""
    going_on, used = _going_on(db)
    blocked: list[Candidate] = []
    for look in (_first, _in_order):  # the first mostly can go on, and is found in a tenth of the time
        blocked.clear()
        for found, pipeline, slots, concurrency, paused in look(db, worker, run_id, now):
            reason = f"pipeline `{pipeline}` is paused" if paused else None
            reason = reason or _obstacle(pipeline, json.loads(slots), concurrency, going_on, used, worker)
            if reason is None:
                return str(found), blocked
            blocked.append(Candidate(str(found), reason))
    return None, blocked


def any_ready(db: Transaction, worker: Worker, now: float) -> bool:
    """Whether it is worth while to choose."""
    return bool(db.rows(f"select 1 from queue where {_READY} limit 1", {"now": now, "host": worker.host}))


def would_change(db: Transaction, worker: Worker, run_id: str, now: float) -> bool:
    """Whether to claim this run would do anything: let it begin, or give it another reason to wait."""
    chosen, blocked = choose(db, worker, run_id, now)
    if chosen is None and blocked:
        ((told,),) = db.rows("select reason from queue where run_id = :run_id", {"run_id": run_id})
        return any(waiting.reason != told for waiting in blocked)
    return chosen is not None


def _first(db: Transaction, worker: Worker, run_id: str | None, now: float) -> Sequence[Row]:
    """The one whose turn it is."""
    return _served(db, "queue", worker, run_id, now, 1)


def _in_order(db: Transaction, worker: Worker, run_id: str | None, now: float) -> Sequence[Row]:
    """All that are looked at."""
    nth = "row_number() over (partition by pipeline order by priority desc, queued_at, run_id)"
    ranked = f"select *, {nth} as nth from queue where {_READY} {_only(run_id)}"
    return _served(db, f"(select * from ({ranked}) ranked where nth <= {_OF_ONE})", worker, run_id, now, _IN_ALL)


def _served(db: Transaction, runs: str, worker: Worker, run_id: str | None, now: float, limit: int) -> Sequence[Row]:
    values = {"now": now, "host": worker.host} | ({"run_id": run_id} if run_id else {})
    return db.rows(
        f"select q.run_id, q.pipeline, q.slots, q.concurrency, p.pipeline is not null from {runs} q "
        "left join turns t on t.pipeline = q.pipeline left join paused p on p.pipeline = q.pipeline "
        f"where {_READY} {_only(run_id)} order by q.priority desc, coalesce(t.token, 0), q.queued_at, q.run_id limit {limit}",
        values,
    )


def _only(run_id: str | None) -> str:
    return "and run_id = :run_id" if run_id else ""


def _going_on(db: Transaction) -> tuple[Mapping[str, list[str]], Counter[str]]:
    """The runs that are carried out, by pipeline, and the units of each slot that they take."""
    runs: dict[str, list[str]] = {}
    used: Counter[str] = Counter()
    for run_id, pipeline, slots in db.rows("select run_id, pipeline, slots from queue where worker <> ''"):
        runs.setdefault(pipeline, []).append(run_id)
        used.update(json.loads(slots))
    return runs, used


def _obstacle(
    pipeline: str,
    slots: Mapping[str, int],
    concurrency: int,
    going_on: Mapping[str, list[str]],
    used: Mapping[str, int],
    worker: Worker,
) -> str | None:
    others = going_on.get(pipeline, [])
    if len(others) >= concurrency:
        return f"run {others[0]} of `{pipeline}` goes on" if concurrency == 1 else f"{len(others)} runs of `{pipeline}` go on"
    for name, wanted in slots.items():
        there = worker.capacity.get(name, 1)
        if wanted > there:
            return f"slot `{name}` has {there} units, and {wanted} are wanted"
        if used.get(name, 0) + wanted > there:
            return f"slot `{name}` is taken: {used[name]} of {there}"
    return None
