"""The event store on the state database: an append-only log with one dense order. Not who hears of an event (see `bus`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace.bus.chain import Anchor, Verified, digest, verify
from headrace.bus.events import Event
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.errors import RetryableError
from headrace.infrastructure.storage.database import Database, Row, Transaction
from headrace.records import record

_COLUMNS = ("position", "stream", "number", "type", "at", "data", "hash", "actor", "correlation", "causation")
_PAGE = 2_000
_TEXT = json.JSONEncoder(default=str)
_PLAIN = json.JSONDecoder()
#: What an append follows: the newest event of all, and how many its stream has.
_BEFORE = (
    "select number, text, (select coalesce(max(number), 0) from events where stream = :stream) from marks where name = 'head'"
)


@record
class _Appending:
    """Events on their way into a stream, and how many it has where that matters."""

    stream: str
    events: Sequence[Event]
    expect: int | None
    origin: Origin


class EventLog:
    """The log of a project, or of all projects that share a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(
        self, stream: str, events: Sequence[Event], expect: int | None = None, origin: Origin = UNKNOWN
    ) -> Sequence[Envelope]:
        """See the port. A connection that breaks at the commit is mended: the events are looked for before they are written again."""
        wanted = _Appending(stream, events, expect, origin)
        tried: list[Sequence[Envelope]] = []

        def act(db: Transaction) -> Sequence[Envelope]:
            tried.append(append_in(db, wanted.stream, wanted.events, expect=wanted.expect, origin=wanted.origin))
            return tried[-1]

        def landed(db: Transaction) -> Sequence[Envelope] | None:
            return tried[-1] if tried and is_there(db, tried[-1][-1]) else None

        return self.database.write(act, landed)

    def read(self, stream: str | None = None, after: int = 0, types: Sequence[str] = ()) -> Iterator[Envelope]:
        """Page by page, so that a long log is never held in memory, and no transaction is left open between two events."""
        if not self.database.exists():
            return
        while True:
            with self.database.reading() as db:
                page = read_in(db, stream, after, types, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].position

    def last(self) -> int:
        if not self.database.exists():
            return 0
        with self.database.reading() as db:
            return _mark(db, "head").position

    def verify(self) -> Verified:
        """Follow the hash chain over the whole log, and name the first event that does not fit."""
        if not self.database.exists():
            return Verified(0, Anchor())
        with self.database.reading() as db:
            start, head = _mark(db, "anchor"), _mark(db, "head")
            return verify(_every(db, start.position), start, head)


def append_in(
    db: Transaction, stream: str, events: Sequence[Event], *, expect: int | None = None, origin: Origin = UNKNOWN
) -> Sequence[Envelope]:
    """Append in a writing transaction, so that events commit together with what they tell of. Raises `RetryableError`."""
    position, previous, number = db.rows(_BEFORE, {"stream": stream})[0]
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


def is_there(db: Transaction, event: Envelope) -> bool:
    found = db.rows("select hash from events where position = :position", {"position": event.position})
    return bool(found) and found[0][0] == event.hash


def read_in(db: Transaction, stream: str | None, after: int, types: Sequence[str], limit: int) -> list[Envelope]:
    where, values = ["position > :after"], {"after": after, "limit": limit}
    if stream is not None:
        where.append("stream = :stream")
        values |= {"stream": stream}  # type: ignore[dict-item]
    if types:
        values |= {f"type_{i}": kind for i, kind in enumerate(types)}  # type: ignore[misc]
        where.append(f"type in ({', '.join(f':type_{i}' for i in range(len(types)))})")
    query = f"select {', '.join(_COLUMNS)} from events where {' and '.join(where)} order by position limit :limit"
    return [_envelope(row) for row in db.rows(query, values)]


def _every(db: Transaction, after: int) -> Iterator[Envelope]:
    while page := read_in(db, None, after, (), _PAGE):
        yield from page
        after = page[-1].position


def _mark(db: Transaction, name: str) -> Anchor:
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
