"""The events as rows of the state database: how they are written and read inside a transaction. Not the log (see `event_log`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace.bus.chain import Anchor, digest
from headrace.bus.events import Event
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.bus.upcasting import lifted, stored_names
from headrace.errors import RetryableError
from headrace.infrastructure.storage.database import Row, Transaction

_COLUMNS = ("position", "stream", "number", "type", "at", "data", "hash", "actor", "correlation", "causation")
#: How many events are read at once.
PAGE = 2_000
_TEXT = json.JSONEncoder(default=str)
_PLAIN = json.JSONDecoder()
#: What an append follows: the newest event of all, how many its stream has, and whether any are no longer kept.
_BEFORE = (
    "select number, text, (select max(number) from events where stream = :stream), "
    "(select number from marks where name = 'anchor') from marks where name = 'head'"
)


def append_in(
    db: Transaction, stream: str, events: Sequence[Event], *, expect: int | None = None, origin: Origin = UNKNOWN
) -> Sequence[Envelope]:
    """Append in a writing transaction, so that events commit together with what they tell of. Raises `RetryableError`."""
    position, previous, length, pruned = db.rows(_BEFORE, {"stream": stream})[0]
    number = _pruned_length(db, stream) if length is None and pruned else length or 0
    if expect is not None and number != expect:
        raise RetryableError(f"run {stream} has {number} events, not {expect}: someone else went on with it")
    at, stored, rows = datetime.now(UTC), [], []
    for i, event in enumerate(events, 1):
        text = _TEXT.encode(event.data())
        plain = _PLAIN.raw_decode(text)[0]
        previous = digest(previous, stream, number + i, event.written, at, plain, origin)
        stored.append(Envelope(position + i, stream, number + i, event.written, at, plain, previous, origin))
        rows.append(_row(stored[-1], text))
    if stored:
        db.insert("events", rows)
        db.put(
            "update marks set number = :position, text = :hash where name = 'head'",
            {"position": stored[-1].position, "hash": stored[-1].hash},
        )
    return stored


def _pruned_length(db: Transaction, stream: str) -> int:
    """How many events a stream had that are no longer kept: of them the read side knows."""
    found = db.rows("select number from view_runs where run_id = :stream", {"stream": stream})
    return int(found[0][0]) if found else 0


def is_there(db: Transaction, event: Envelope) -> bool:
    found = db.rows("select hash from events where position = :position", {"position": event.position})
    return bool(found) and found[0][0] == event.hash


def read_in(db: Transaction, stream: str | None, after: int, types: Sequence[str], limit: int) -> list[Envelope]:
    """Events as this version of Headrace knows them: those of older versions are lifted."""
    return [lifted(e) for e in stored_in(db, stream, after, stored_names(types), limit)]


def stored_in(db: Transaction, stream: str | None, after: int, types: Sequence[str], limit: int) -> list[Envelope]:
    """Events as they were written, which is what their hashes tell of."""
    where, values = ["position > :after"], {"after": after, "limit": limit}
    if stream is not None:
        where.append("stream = :stream")
        values |= {"stream": stream}  # type: ignore[dict-item]
    if types:
        values |= {f"type_{i}": kind for i, kind in enumerate(types)}  # type: ignore[misc]
        where.append(f"type in ({', '.join(f':type_{i}' for i in range(len(types)))})")
    query = f"select {', '.join(_COLUMNS)} from events where {' and '.join(where)} order by position limit :limit"
    return [_envelope(row) for row in db.rows(query, values)]


def every_in(db: Transaction, after: int) -> Iterator[Envelope]:
    """All that are kept, as they were written."""
    while page := stored_in(db, None, after, (), PAGE):
        yield from page
        after = page[-1].position


def mark(db: Transaction, name: str) -> Anchor:
    position, text = db.rows("select number, text from marks where name = :name", {"name": name})[0]
    return Anchor(int(position), text)


def _row(e: Envelope, data: str) -> dict[str, Any]:
    return {
        "position": e.position, "stream": e.stream, "number": e.number, "type": e.type, "at": e.at.isoformat(), "hash": e.hash,
        "data": data, "actor": e.origin.actor, "correlation": e.origin.correlation_id, "causation": e.origin.causation_id,
    }  # fmt: skip


def _envelope(row: Row) -> Envelope:
    position, stream, number, kind, at, data, hashed, actor, correlation, causation = row
    origin = Origin(actor, correlation, causation) if actor or correlation or causation else UNKNOWN
    return Envelope(position, stream, number, kind, datetime.fromisoformat(at), _PLAIN.raw_decode(data)[0], hashed, origin)
