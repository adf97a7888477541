"""Delivers events to durable subscriptions, batch by batch. Not where they stand (see `subscription_store`).

A handler is called outside of any transaction, so a slow one holds up nobody. A projection is called inside the one that moves its place.
"""

from __future__ import annotations

import inspect
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.application.orchestrator.failpoints import Failpoints
from headrace.bus.store import Envelope
from headrace.bus.subscriptions import Projection, Subscription, shown
from headrace.errors import RetryableError
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_rows import mark
from headrace.infrastructure.storage.processes import this_process
from headrace.infrastructure.storage.subscription_store import (
    Place,
    SubscriptionStore,
    buried_in,
    bury_in,
    due_in,
    exhume_in,
    page_in,
    place_in,
    settle_in,
)

#: How long a delivery is held without a word, in seconds: longer than any handler may take for one event.
LEASE_SECONDS = 120.0
#: How often to look for new events, in seconds.
LOOK_EVERY = 0.5
_BEHIND = "waits behind an event of its run that was given up"


@dataclass(slots=True)
class _Turn:
    """One batch on its way."""

    place: Place
    noted: float
    """When it was last written down how far it has come."""


class Delivery:
    """One subscription's delivery by this process."""

    def __init__(
        self, database: Database, subscription: Subscription, owner: str | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        self.database, self.subscription = database, subscription
        self.owner = owner or f"{this_process()}/{threading.get_native_id()}"
        self.store = SubscriptionStore(database, wall)
        self.failpoints = Failpoints.of_environment()
        self._tried = 0

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop. A state database that is away is waited for."""
        while not stop.is_set():
            try:
                more = self.step()
            except RetryableError:
                more = False
            if not more:
                stop.wait(LOOK_EVERY)

    def catch_up(self) -> None:
        """Deliver what there is, until nothing is left or the next has to wait."""
        while self.step():
            pass

    def step(self) -> bool:
        """Deliver one batch. Whether there may be more to deliver at once."""
        if self.store.is_idle(self.subscription):
            return False
        if isinstance(self.subscription.handler, Projection):
            return self._project(self.subscription.handler)
        place = self.store.claim(self.subscription, self.owner, LEASE_SECONDS)
        if place is None:
            return False
        try:
            retried = self._retry_due()
            return self._tell(place) or retried
        finally:
            self.store.release(self.subscription.name, self.owner)

    # Outside effects -------------------------------------------------------------------------------------------------

    def _tell(self, place: Place) -> bool:
        page = self.store.page(place.position, self.subscription.batch)
        if not page or place.must_wait(self.store.wall()):
            return False
        buried = self.store.buried_streams(self.subscription.name)
        turn = _Turn(place, time.monotonic())
        for event in page:
            if self.subscription.wants(event) and not self._delivered(turn, event, buried):
                return False
            if turn.place.position < event.position:
                turn.place = Place(event.position)
            if time.monotonic() - turn.noted > LEASE_SECONDS / 4 and not self._note(turn, turn.place):
                return False
        return self._note(turn, turn.place)

    def _delivered(self, turn: _Turn, event: Envelope, buried: set[str]) -> bool:
        """Deliver an event, or put it aside. Whether to go on with the next."""
        if event.stream in buried:
            return self._bury(turn, event, _BEHIND)
        error = self._attempt(event)
        if error is None:
            return True
        failures = (turn.place.failures if turn.place.position == event.position - 1 else 0) + 1
        pause = self.subscription.pause(failures, error, random.random())  # noqa: S311 - spreads, protects nothing
        if pause is None:
            buried.add(event.stream)
            return self._bury(turn, event, shown(error))
        self._note(turn, Place(event.position - 1, failures, self.store.wall() + pause), shown(error))
        return False

    def _attempt(self, event: Envelope) -> Exception | None:
        try:
            answer = self.subscription.handler(event)  # type: ignore[operator]
            if inspect.isawaitable(answer):
                import asyncio

                asyncio.run(_awaited(answer))
        except Exception as error:  # noqa: BLE001 - the boundary to a handler: it is tried again, then the event is put aside
            return error
        self.failpoints.reached("delivered")
        return None

    def _note(self, turn: _Turn, place: Place, error: str = "") -> bool:
        turn.place, turn.noted = place, time.monotonic()
        return self.store.move(self.subscription.name, self.owner, place, LEASE_SECONDS, error)

    def _bury(self, turn: _Turn, event: Envelope, error: str) -> bool:
        turn.place, turn.noted = Place(event.position), time.monotonic()
        return self.store.bury(self.subscription.name, self.owner, event, error)

    def _retry_due(self) -> bool:
        """Try the dead letters again of which somebody wished it. Whether there were any."""
        name = self.subscription.name
        due = self.store.due(name)
        failed: set[str] = set()
        for event in due:
            if event.stream in failed:
                continue
            error = self._attempt(event)
            if error is None:
                self.database.write(lambda db, e=event: exhume_in(db, name, e))  # type: ignore[misc]
            else:
                failed.add(event.stream)
                why = shown(error)
                self.database.write(lambda db, e=event, text=why: bury_in(db, name, e, text))  # type: ignore[misc]
        return bool(due)

    # Projections -----------------------------------------------------------------------------------------------------

    def _project(self, handler: Projection) -> bool:
        """A whole batch at once; one by one only when something in it cannot be applied, to find what."""
        try:
            return self.database.write(lambda db: self._apply(db, handler, self.subscription.batch))
        except RetryableError:
            raise
        except Exception:  # noqa: BLE001 - the boundary to a projection: what it cannot take is put aside
            return self._project_one(handler)

    def _project_one(self, handler: Projection) -> bool:
        try:
            return self.database.write(lambda db: self._apply(db, handler, 1))
        except RetryableError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            text = shown(error)
            return self.database.write(lambda db: self._put_aside(db, text))

    def _apply(self, db: Transaction, handler: Projection, most: int) -> bool:
        name = self.subscription.name
        settle_in(db, self.subscription)
        place = place_in(db, name) or Place(0)
        if due := due_in(db, name)[:most]:
            self._tried = due[0].position
            handler.apply(db, due)
            for event in due:
                exhume_in(db, name, event)
            return True
        page = page_in(db, place.position, most)
        if not page:
            return False
        self._tried = page[0].position
        buried = buried_in(db, name)
        wanted = [event for event in page if self.subscription.wants(event)]
        handler.apply(db, [event for event in wanted if event.stream not in buried])
        for event in wanted:
            if event.stream in buried:
                bury_in(db, name, event, _BEHIND)
        self._arrive(db, page[-1])
        return page[-1].position < mark(db, "head").position

    def _put_aside(self, db: Transaction, error: str) -> bool:
        """The event that could not be applied goes to the dead letters, unless another process has dealt with it meanwhile."""
        name = self.subscription.name
        place = place_in(db, name) or Place(0)
        for event in due_in(db, name)[:1] or page_in(db, place.position, 1):
            if event.position == self._tried:
                bury_in(db, name, event, error)
                if event.position > place.position:
                    self._arrive(db, event)
        return True

    def _arrive(self, db: Transaction, event: Envelope) -> None:
        values = {"name": self.subscription.name, "position": event.position}
        db.run("update subscriptions set position = :position, failures = 0, error = '' where name = :name", values)


async def _awaited(answer: Awaitable[None]) -> None:
    await answer
