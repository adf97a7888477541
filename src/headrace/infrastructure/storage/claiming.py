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


@record
class Candidate:
    """A run that cannot go on, and why."""

    run_id: str
    reason: str


def choose(db: Transaction, worker: Worker, run_id: str | None, now: float) -> tuple[str | None, Sequence[Candidate]]:
    """The run to carry out now, if any, and those before it that have to wait."""
    going_on, used = _going_on(db)
    paused = {row[0] for row in db.rows("select pipeline from paused")}
    blocked: list[Candidate] = []
    for found, pipeline, slots, concurrency in _in_order(db, worker, run_id, now):
        reason = _obstacle(pipeline, json.loads(slots), concurrency, going_on, used, paused, worker)
        if reason is None:
            return str(found), blocked
        blocked.append(Candidate(str(found), reason))
    return None, blocked


def any_ready(db: Transaction, worker: Worker, now: float) -> bool:
    """Whether it is worth while to choose."""
    return bool(
        db.rows(
            "select 1 from queue where worker = '' and state in ('queued', 'waiting') and not_before <= :now "
            "and (host is null or host = :host) limit 1",
            {"now": now, "host": worker.host},
        )
    )


def _in_order(db: Transaction, worker: Worker, run_id: str | None, now: float) -> Sequence[Row]:
    only = "and q.run_id = :run_id" if run_id else ""
    values = {"now": now, "host": worker.host} | ({"run_id": run_id} if run_id else {})
    ready = (
        "select q.run_id, q.pipeline, q.slots, q.concurrency, q.priority, q.queued_at, "
        "row_number() over (partition by q.pipeline order by q.priority desc, q.queued_at, q.run_id) as nth from queue q "
        "where q.worker = '' and q.state in ('queued', 'waiting') and q.not_before <= :now "
        f"and (q.host is null or q.host = :host) {only}"
    )
    return db.rows(
        f"select r.run_id, r.pipeline, r.slots, r.concurrency from ({ready}) r left join turns t on t.pipeline = r.pipeline "
        f"where r.nth <= {_OF_ONE} order by r.priority desc, coalesce(t.token, 0), r.queued_at, r.run_id limit {_IN_ALL}",
        values,
    )


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
    paused: set[str],
    worker: Worker,
) -> str | None:
    if pipeline in paused:
        return f"pipeline `{pipeline}` is paused"
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
