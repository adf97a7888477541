"""The event store on SQLite, in the state folder of a project. Not the place of rows or of definitions."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.bus.events import Event
from headrace.bus.store import Envelope
from headrace.errors import NonRetryableError, RetryableError

_SCHEMA = """
create table if not exists events (
    position integer primary key,
    stream   text not null,
    number   integer not null,
    type     text not null,
    at       text not null,
    data     text not null,
    hash     text not null,
    unique (stream, number)
);
create index if not exists events_by_type on events (type, position);
"""
_COLUMNS = "position, stream, number, type, at, data, hash"


class SqliteEventStore:
    """One file in WAL mode; a writer waits for another up to ten seconds. Opened at each call, so it holds nothing in between."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, stream: str, events: Sequence[Event], expect: int | None = None) -> Sequence[Envelope]:
        with self._readable(), closing(self._open(create=True)) as db, db:
            try:
                db.execute("begin immediate")
            except sqlite3.OperationalError as error:
                raise RetryableError(
                    f"the event log {self.path} is busy: {error}", hint="another run is writing to it for long; try again"
                ) from error
            number = db.execute("select coalesce(max(number), 0) from events where stream = ?", (stream,)).fetchone()[0]
            if expect is not None and number != expect:
                raise RetryableError(f"run {stream} has {number} events, not {expect}: someone else went on with it")
            position, previous = db.execute(
                "select position, hash from events union all select 0, '' order by position desc limit 1"
            ).fetchone()
            stored: list[Envelope] = []
            for i, event in enumerate(events, 1):
                previous_hash = stored[-1].hash if stored else previous
                stored.append(_envelope(position + i, stream, number + i, event, previous_hash))
            db.executemany(f"insert into events ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)", [_row(e) for e in stored])
        return stored

    def read(self, stream: str | None = None, after: int = 0, types: Sequence[str] = ()) -> Iterator[Envelope]:
        if not self.path.exists():
            return
        where: list[str] = ["position > ?"]
        values: list[Any] = [after]
        if stream is not None:
            where, values = [*where, "stream = ?"], [*values, stream]
        if types:
            where, values = [*where, f"type in ({', '.join('?' * len(types))})"], [*values, *types]
        with self._readable(), closing(self._open()) as db:
            query = f"select {_COLUMNS} from events where {' and '.join(where)} order by position"
            for position, name, number, kind, at, data, digest in db.execute(query, values):
                yield Envelope(position, name, number, kind, datetime.fromisoformat(at), json.loads(data), digest)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Says of a file that is no event log, or a damaged one, that it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise NonRetryableError(
                f"the event log {self.path} cannot be read: {error}",
                hint="move the file away to begin a new log, or bring it back from a backup; what was published is not touched by it",
            ) from error

    def _open(self, *, create: bool = False) -> sqlite3.Connection:
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
            if create:
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = normal")
                db.executescript(_SCHEMA)
        except (sqlite3.DatabaseError, OSError) as error:
            raise NonRetryableError(
                f"the event log {self.path} cannot be opened: {error}",
                hint="see that the folder can be written to and that the file is a SQLite database",
            ) from error
        return db


def _envelope(position: int, stream: str, number: int, event: Event, previous: str) -> Envelope:
    at = datetime.now(UTC)
    data = json.loads(json.dumps(event.data(), default=str))
    return Envelope(position, stream, number, event.written, at, data, _hash(previous, stream, number, event.written, at, data))


def _hash(previous: str, *parts: Any) -> str:
    return hashlib.sha256((previous + json.dumps(parts, default=str, sort_keys=True)).encode()).hexdigest()


def _row(e: Envelope) -> tuple[Any, ...]:
    return (e.position, e.stream, e.number, e.type, e.at.isoformat(), json.dumps(e.data), e.hash)
