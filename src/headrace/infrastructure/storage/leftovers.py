"""Removes what runs leave in the state database beside their events: the keys of their requests and the texts of their definitions.

A key outlives the events of its run by as many days as events are kept, so that a request that is made again within that time is still
known. A text goes when it is that old and nothing refers to it: no run that is kept or goes on, no version in service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_rows import mark

#: How many rows are removed, or looked at, in one transaction.
AT_ONCE = 5_000

_OLD_KEYS = f"""
select k.key from run_keys k where k.at < :cutoff and not exists (select 1 from events e where e.stream = k.run_id)
and not exists (select 1 from queue q where q.run_id = k.run_id) limit {AT_ONCE}
"""
#: Of these events, what was asked for is known: with which definition.
_ASKING = "type in ('pipeline.queued/1', 'pipeline.reopened/1')"


def outlive(db: Transaction, until: int, now: datetime) -> None:
    """Let the keys of runs whose events up to a position are about to be removed count from now on."""
    db.run(
        "update run_keys set at = :now where run_id in (select stream from events where position <= :until)",
        {"now": now.isoformat(), "until": until},
    )


def remove(database: Database, cutoff: str) -> tuple[int, int]:
    """Remove what nobody needs any more: the number of keys and of definitions."""
    return _remove_keys(database, cutoff), _remove_definitions(database, cutoff)


def _remove_keys(database: Database, cutoff: str) -> int:
    removed = 0
    while found := database.write(lambda db: db.run(f"delete from run_keys where key in ({_OLD_KEYS})", {"cutoff": cutoff})):
        removed += found
    return removed


def _remove_definitions(database: Database, cutoff: str) -> int:
    with database.reading() as db:
        old = {str(row[0]) for row in db.rows("select fingerprint from definitions where at < :cutoff", {"cutoff": cutoff})}
        head = mark(db, "head").position
    if not old:
        return 0
    position, used = 0, set[str]()
    while position < head:  # without holding up those who write; what comes meanwhile is looked at below
        with database.reading() as db:
            asked = list(_asked_for(db, position, head))
        used |= {definition for _, definition in asked}
        position = asked[-1][0] if len(asked) == AT_ONCE else head

    def act(db: Transaction) -> int:
        later = {definition for _, definition in _asked_for(db, head, None)}
        referring = "select definition from queue where definition is not null union select definition from in_service"
        unused = old - used - later - {str(row[0]) for row in db.rows(referring)}
        for fingerprint in sorted(unused):
            db.put("delete from definitions where fingerprint = :fingerprint", {"fingerprint": fingerprint})
        return len(unused)

    return database.write(act)


def _asked_for(db: Transaction, after: int, until: int | None) -> Iterator[tuple[int, str]]:
    """The definitions of the runs that were asked for, in the order of the log: some of them, unless `until` is left out."""
    query = f"select position, data from events where {_ASKING} and position > :after"
    limited = f"{query} and position <= :until order by position limit {AT_ONCE}"
    for position, data in db.rows(query if until is None else limited, {"after": after, "until": until}):
        yield position, json.loads(data).get("definition") or ""
