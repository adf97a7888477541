"""Removes old events of runs that have ended, from the beginning of the log on, and then what they left beside (see `leftovers`). What the
read side made of them stays: it is the snapshot.

Called now and then by whoever serves, never during a plain run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from headrace.infrastructure.storage import leftovers
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.delivering import Delivery
from headrace.infrastructure.storage.event_rows import mark
from headrace.infrastructure.storage.read_side import READ_SIDE
from headrace.records import record

#: How many events are removed in one transaction, so that nobody waits for long.
AT_ONCE = 5_000

#: The first event of a run that goes on, or of which something happened lately. Such a run keeps all that is behind it, too.
_FIRST_OF_OTHERS = """
with kept as (
    select r.run_id from view_runs r left join events e on e.stream = r.run_id and e.number = r.number
    where r.state in ('queued', 'waiting', 'running', 'cancelling') or e.at >= :cutoff
)
select e.position, e.stream from events e join kept k on k.run_id = e.stream order by e.position limit 1
"""


@record
class Pruned:
    """What became of a pruning: how many events were removed, up to which position, and what keeps the next one; and how many keys of
    requests and texts of definitions went with them."""

    events: int
    position: int
    kept_by: str
    keys: int = 0
    definitions: int = 0


def prune(database: Database, keep_days: int, now: datetime) -> Pruned:
    """Remove what is older than so many days and needed by nobody: by no run that has not ended, by no subscription."""
    if not database.exists():
        return Pruned(0, 0, "there are no events")
    Delivery(database, READ_SIDE).catch_up()
    cutoff = (now - timedelta(days=keep_days)).isoformat()
    with database.reading() as db:
        begun = mark(db, "anchor").position
    while True:
        done = database.write(lambda db: _prune_some(db, cutoff, now))
        if not done.events:
            break
    keys, definitions = leftovers.remove(database, cutoff)
    if done.position > begun or keys or definitions:
        database.shrink()
    return Pruned(done.position - begun, done.position, done.kept_by, keys, definitions)


def forgotten(database: Database, runs: Collection[str]) -> set[str]:
    """Those of the runs of which nothing is left: no event, and no place in the queue."""
    if not database.exists():
        return set()
    known = "select 1 from events where stream = :run_id union all select 1 from queue where run_id = :run_id limit 1"
    with database.reading() as db:
        return {run_id for run_id in runs if not db.rows(known, {"run_id": run_id})}


def _prune_some(db: Transaction, cutoff: str, now: datetime) -> Pruned:
    anchor = mark(db, "anchor")
    last, why = _last_unneeded(db, cutoff)
    until = min(last, anchor.position + AT_ONCE)
    if until <= anchor.position:
        return Pruned(0, anchor.position, why)
    values: Mapping[str, Any] = {"until": until}
    hashed = db.rows("select hash from events where position = :until", values)[0][0]
    db.run("update marks set number = :until, text = :hash where name = 'anchor'", {"until": until, "hash": hashed})
    leftovers.outlive(db, until, now)
    db.run("delete from events where position <= :until", values)
    return Pruned(until - anchor.position, until, why)


def _last_unneeded(db: Transaction, cutoff: str) -> tuple[int, str]:
    """The position up to which nobody needs the events, and who needs the next."""
    limits = [(mark(db, "head").position, "it is the newest")]
    for position, run_id in db.rows(_FIRST_OF_OTHERS, {"cutoff": cutoff}):
        limits.append((position - 1, f"run {run_id} goes on, or ended lately"))
    for position, name in db.rows("select position, name from subscriptions order by position, name limit 1"):
        limits.append((position, f"subscription `{name}` has not read on"))
    for position, name in db.rows("select position, subscription from dead_letters order by position limit 1"):
        limits.append((position - 1, f"it is a dead letter of subscription `{name}`"))
    return min(limits)
