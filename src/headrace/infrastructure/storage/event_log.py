"""The event store on the state database: an append-only log with one dense order. Not who hears of an event (see `bus`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from headrace.bus.chain import Anchor, Verified, verify
from headrace.bus.events import Event
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_rows import PAGE, append_in, every_in, is_there, mark, read_in
from headrace.records import record

if TYPE_CHECKING:
    from headrace.infrastructure.storage.read_side import DatabaseReadSide


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

    @property
    def source(self) -> str:
        """What this log is called in the world, as a URI: no two databases have the same."""
        with self.database.reading() as db:
            return "urn:headrace:" + str(db.rows("select text from marks where name = 'issuer'")[0][0])

    @property
    def views(self) -> DatabaseReadSide:
        """What is made of the events, for questions. A plain run asks none."""
        from headrace.infrastructure.storage.read_side import DatabaseReadSide

        return DatabaseReadSide(self.database)

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
                page = read_in(db, stream, after, types, PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].position

    def last(self) -> int:
        if not self.database.exists():
            return 0
        with self.database.reading() as db:
            return mark(db, "head").position

    def verify(self) -> Verified:
        """Follow the hash chain over the whole log, and name the first event that does not fit."""
        if not self.database.exists():
            return Verified(0, Anchor())
        with self.database.reading() as db:
            start, head = mark(db, "anchor"), mark(db, "head")
            return verify(every_in(db, start.position), start, head)
