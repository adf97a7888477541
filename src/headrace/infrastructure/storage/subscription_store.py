"""Where durable subscriptions stand in the log, and their dead letters, in the state database. Not the delivery (see `delivering`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from headrace.bus.store import Envelope
from headrace.bus.subscriptions import LONGEST_ASKED, DeadLetter, Projection, Standing, Subscription
from headrace.errors import UsageError
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_rows import mark, read_in
from headrace.infrastructure.storage.processes import is_gone
from headrace.records import record

#: How much text of events is read at once; one event more than that alone.
MOST_TEXT = 4_000_000


@record
class Place:
    """Where a subscription stands: the last position that it has read, and how often the next event failed."""

    position: int
    failures: int = 0
    next_at: float = 0.0
    owner: str = ""

    def must_wait(self, now: float) -> bool:
        """Whether its pause goes on. One that is longer than any pause comes of a clock that was set back."""
        return 0 < self.next_at - now <= LONGEST_ASKED


class SubscriptionStore:
    """Reads and moves the places of subscriptions. Only the one who has claimed a subscription moves it."""

    def __init__(self, database: Database, wall: Callable[[], float] = time.time) -> None:
        self.database, self.wall = database, wall

    # Delivering ------------------------------------------------------------------------------------------------------

    def is_idle(self, subscription: Subscription) -> bool:
        """Whether there is nothing to deliver now. Only reads, so that looking costs nothing."""
        if not self.database.exists():
            return subscription.starts != "now"  # which is before the first event, then

        def look(db: Transaction) -> bool:
            place = place_in(db, subscription.name)
            if place is None or db.rows(_DUE, {"name": subscription.name}):
                return False
            return place.position >= mark(db, "head").position or place.must_wait(self.wall())

        return self.database.read(look)

    def claim(self, subscription: Subscription, owner: str, seconds: float) -> Place | None:
        """Be the only one that delivers for it, for that long; None when another does, or when its pause goes on."""

        def act(db: Transaction) -> Place | None:
            settle_in(db, subscription)
            clock, now = db.lease_clock()
            held, of_clock, until = db.rows(
                "select owner, lease_clock, lease_until from subscriptions where name = :name", {"name": subscription.name}
            )[0]
            if held not in ("", owner) and of_clock == clock and until >= now and not is_gone(held):
                return None
            place = place_in(db, subscription.name)
            if place is None or (place.must_wait(self.wall()) and not db.rows(_DUE, {"name": subscription.name})):
                return None
            values = {"name": subscription.name, "owner": owner, "clock": clock, "until": now + seconds}
            db.run(
                "update subscriptions set owner = :owner, lease_clock = :clock, lease_until = :until where name = :name", values
            )
            return place

        return self.database.write(act)

    def page(self, after: int, most: int) -> list[Envelope]:
        """The next events of all streams: so many at most, and so much text."""
        with self.database.reading() as db:
            return page_in(db, after, most)

    def move(self, name: str, owner: str, place: Place, seconds: float, error: str = "") -> bool:
        """Note how far it has come. False when another has taken it over; then nothing is changed."""

        def act(db: Transaction) -> bool:
            clock, now = db.lease_clock()
            values = {
                "name": name, "owner": owner, "position": place.position, "failures": place.failures, "next_at": place.next_at,
                "error": error, "clock": clock, "until": now + seconds,
            }  # fmt: skip
            return bool(
                db.run(
                    "update subscriptions set position = :position, failures = :failures, next_at = :next_at, error = :error, "
                    "lease_clock = :clock, lease_until = :until where name = :name and owner = :owner",
                    values,
                )
            )

        return self.database.write(act)

    def release(self, name: str, owner: str) -> None:
        self.database.write(
            lambda db: db.run(
                "update subscriptions set owner = '', lease_until = 0 where name = :name and owner = :owner",
                {"name": name, "owner": owner},
            )
        )

    def bury(self, name: str, owner: str, event: Envelope, error: str) -> bool:
        """Give an event up, and go on behind it. False when another has taken the subscription over."""

        def act(db: Transaction) -> bool:
            values = {"name": name, "owner": owner, "position": event.position}
            moved = db.run(
                "update subscriptions set position = :position, failures = 0, next_at = 0, error = '' "
                "where name = :name and owner = :owner",
                values,
            )
            if moved:
                bury_in(db, name, event, error)
            return bool(moved)

        return self.database.write(act)

    # Dead letters ----------------------------------------------------------------------------------------------------

    def buried_streams(self, name: str) -> set[str]:
        """The runs of which an event lies with the dead letters: what follows of them has to wait behind it."""
        with self.database.reading() as db:
            return buried_in(db, name)

    def due(self, name: str) -> list[Envelope]:
        """Events that are to be tried again: of each run those before the first that is not."""
        with self.database.reading() as db:
            return due_in(db, name)

    def dead_letters(self, name: str | None = None) -> Sequence[DeadLetter]:
        """All of them, or those of one subscription, in the order of the log."""
        if not self.database.exists():
            return []
        only, values = ("where subscription = :name", {"name": name}) if name is not None else ("", {})
        query = (
            f"select subscription, position, stream, error, at, due from dead_letters {only} order by subscription, position"
        )
        with self.database.reading() as db:
            return [DeadLetter(row[0], row[1], row[2], row[3], row[4], bool(row[5])) for row in db.rows(query, values)]

    def retry(self, name: str, position: int | None = None) -> int:
        """Have dead letters tried again: all of a subscription, or one with those of its run before it. How many."""

        def act(db: Transaction) -> int:
            if position is None:
                return db.run("update dead_letters set due = 1 where subscription = :name", {"name": name})
            return db.run(
                "update dead_letters set due = 1 where subscription = :name and position <= :position and stream = "
                "(select stream from dead_letters where subscription = :name and position = :position)",
                {"name": name, "position": position},
            )

        return self._some(self.database.write(act), name, position)

    def drop(self, name: str, position: int | None = None) -> int:
        """Give dead letters up for good: all of a subscription, or one. How many."""
        only = "" if position is None else "and position = :position"
        values = {"name": name} | ({} if position is None else {"position": position})
        done = self.database.write(lambda db: db.run(f"delete from dead_letters where subscription = :name {only}", values))
        return self._some(done, name, position)

    def _some(self, count: int, name: str, position: int | None) -> int:
        if not count:
            which = "no dead letters" if position is None else f"no dead letter at position {position}"
            raise UsageError(f"subscription `{name}` has {which}", hint="`headrace subscriptions dead-letters` lists them")
        return count

    # By hand ---------------------------------------------------------------------------------------------------------

    def standing(self) -> Sequence[Standing]:
        """All subscriptions that were ever delivered for."""
        if not self.database.exists():
            return []
        head, counted, rows = self.database.read(
            lambda db: (
                mark(db, "head").position,
                db.rows("select subscription, count(*) from dead_letters group by subscription"),
                db.rows("select name, position, failures, error, owner from subscriptions order by name"),
            )
        )
        dead: dict[str, int] = {name: count for name, count in counted}  # noqa: C416 - rows are no pairs
        return [
            Standing(name, position, head - position, failures, error, dead.get(name, 0), "" if is_gone(owner) else owner)
            for name, position, failures, error, owner in rows
        ]

    def replay(self, subscription: Subscription, after: int = 0) -> None:
        """Have the events behind a position delivered again. A projection drops what came of them first, and starts from its snapshot."""

        def act(db: Transaction) -> None:
            start = max(after, mark(db, "anchor").position)
            settle_in(db, subscription)
            if isinstance(subscription.handler, Projection):
                subscription.handler.drop(db, start)
            db.run(
                "delete from dead_letters where subscription = :name and position > :start",
                {"name": subscription.name, "start": start},
            )
            # Whoever delivers for it now has lost it: it would note a position of before.
            db.run(
                "update subscriptions set position = :start, failures = 0, next_at = 0, error = '', owner = '' where name = :name",
                {"name": subscription.name, "start": start},
            )

        self.database.write(act)

    def forget(self, name: str) -> None:
        """Remove a subscription that nobody delivers for any more, with its dead letters, so that it holds no events back."""

        def act(db: Transaction) -> int:
            db.run("delete from dead_letters where subscription = :name", {"name": name})
            return db.run("delete from subscriptions where name = :name", {"name": name})

        if not self.database.write(act):
            raise UsageError(f"there is no subscription `{name}`", hint="`headrace subscriptions list` shows them")


_DUE = "select position from dead_letters where subscription = :name and due = 1 limit 1"


def settle_in(db: Transaction, subscription: Subscription) -> None:
    """Give a new subscription its place."""
    at = mark(db, "head" if subscription.starts == "now" else "anchor").position
    db.run(
        "insert into subscriptions (name, position) values (:name, :position) on conflict (name) do nothing",
        {"name": subscription.name, "position": at},
    )


def place_in(db: Transaction, name: str) -> Place | None:
    found = db.rows("select position, failures, next_at, owner from subscriptions where name = :name", {"name": name})
    return Place(*found[0]) if found else None


def page_in(db: Transaction, after: int, most: int) -> list[Envelope]:
    sizes = db.rows(
        "select position, length(data) from events where position > :after order by position limit :most",
        {"after": after, "most": most},
    )
    count, text = 0, 0
    for _, size in sizes:
        text += size
        if count and text > MOST_TEXT:
            break
        count += 1
    return read_in(db, None, after, (), count) if count else []


def bury_in(db: Transaction, name: str, event: Envelope, error: str) -> None:
    values = {
        "name": name,
        "position": event.position,
        "stream": event.stream,
        "error": error,
        "at": datetime.now(UTC).isoformat(),
    }
    # What was to be tried again behind it has to wait for the next wish.
    db.run("update dead_letters set due = 0 where subscription = :name and stream = :stream", values)
    db.run(
        "insert into dead_letters (subscription, position, stream, error, at) values (:name, :position, :stream, :error, :at) "
        "on conflict (subscription, position) do update set error = excluded.error, at = excluded.at, due = 0",
        values,
    )


def exhume_in(db: Transaction, name: str, event: Envelope) -> None:
    """A dead letter was delivered after all."""
    db.run(
        "delete from dead_letters where subscription = :name and position = :position",
        {"name": name, "position": event.position},
    )


def buried_in(db: Transaction, name: str) -> set[str]:
    return {row[0] for row in db.rows("select distinct stream from dead_letters where subscription = :name", {"name": name})}


def due_in(db: Transaction, name: str) -> list[Envelope]:
    query = (
        "select d.position from dead_letters d where d.subscription = :name and d.due = 1 and not exists (select 1 from dead_letters e "
        "where e.subscription = d.subscription and e.stream = d.stream and e.position < d.position and e.due = 0) "
        "order by d.position limit 100"
    )
    return [event for row in db.rows(query, {"name": name}) for event in read_in(db, None, row[0] - 1, (), 1)]
