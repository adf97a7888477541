"""Tells people of the troubles of pipelines. What is to be told is recorded first, with the change that it tells of, and sent then.

So a crash at any moment repeats at most a message, under the same id, and neither loses nor doubles the beginning or end of a trouble.
Not which troubles begin and end (see `scheduling.alerts`), and not how a message travels (see `Notifier`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headrace.application.orchestrator.failpoints import Failpoints
from headrace.application.orchestrator.message import Message
from headrace.application.orchestrator.watching import Decision, Overdue, Watch, decide, next_due, schedule_text
from headrace.application.queries.outcomes import Ended, ended_after
from headrace.bus.lifecycle import NotificationSentEvent
from headrace.bus.store import EventStore
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Notification
from headrace.business.model.orchestration import Schedule
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.resilience.backoff import RetryPolicy

#: About an hour of attempts; whoever asks for more time with `Retry-After` gets it, up to six hours in all.
PATIENCE = RetryPolicy(attempts=12, base_delay=5.0, max_delay=600.0, jitter="equal", budget_seconds=6 * 3600.0)
#: So many messages are sent at the same time, so that one that hangs does not hold up the others.
_AT_ONCE = 8


class Notifier(Protocol):
    """A way to tell people."""

    def send(self, loaded: Loaded, notification: Notification, message: Message) -> None:
        """Tell. Raises `RetryableError` or `NonRetryableError`, in whose words there are no addresses and no secrets."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way: for the `attempt`th time, first tried so many seconds ago."""

    number: int
    pipeline: str
    notification: str
    channel: str
    alert: str
    change: str
    stream: str
    attempt: int
    elapsed: float
    message: Message


class NotificationRecords(Protocol):
    """What is remembered of notifications. Deciding happens in the transaction that writes what was decided."""

    def watches(self) -> Mapping[str, Watch]:
        """Of every pipeline that is watched; without the history."""
        ...

    def begin(self, pipeline: str) -> None:
        """Watch a pipeline from the end of the log on."""
        ...

    def forget(self, pipeline: str) -> None:
        """Watch it no longer; what is open is closed untold."""
        ...

    def change(self, pipeline: str, decide: Callable[[Watch], Decision | None]) -> None:
        """Put into effect what is decided. `decide` may be asked several times."""
        ...

    def take(self, pipelines: Collection[str], now: datetime, most: int) -> Sequence[Delivery]:
        """Messages that may be sent now, which nobody else sends for a while. Those of one trouble come one after the other."""
        ...

    def postpone(self, delivery: Delivery, seconds: float) -> None: ...

    def done(self, delivery: Delivery, event: NotificationSentEvent) -> None:
        """What became of a message, once."""
        ...


class Notifications:
    """Looks at what has ended and what is late, and sends what is to be sent. Several may do so on one database."""

    def __init__(
        self,
        store: EventStore,
        records: NotificationRecords,
        notifiers: Mapping[str, Notifier],
        definitions: Callable[[], Mapping[str, Loaded]],
        now: Callable[[], datetime],
        policy: RetryPolicy = PATIENCE,
    ) -> None:
        self.store, self.records, self.notifiers = store, records, notifiers
        self.definitions, self.now, self.policy = definitions, now, policy
        self.failpoints = Failpoints.of_environment()
        self._looked: dict[str, int] = {}
        self._due: dict[str, tuple[str, datetime | None, Overdue | None]] = {}

    def turn(self) -> None:
        """One look, and one attempt at every message that is due."""
        definitions = self.definitions()
        watched = {name: loaded for name, loaded in definitions.items() if loaded.definition.notify}
        watches = self.records.watches()
        for name in watches.keys() & (definitions.keys() - watched.keys()):
            self.records.forget(name)
        if new := watched.keys() - watches.keys():
            for name in sorted(new):
                self.records.begin(name)
            watches = self.records.watches()
        self._look_at_runs(watched, watches)
        self._look_at_the_clock(watched, self.records.watches())
        self._send(definitions)

    # What has happened -----------------------------------------------------------------------------------------------

    def _look_at_runs(self, watched: Mapping[str, Loaded], watches: Mapping[str, Watch]) -> None:
        looked = {name: max(watches[name].position, self._looked.get(name, 0)) for name in watched}
        self._looked = looked
        if not looked:
            return
        end = self.store.last()
        for ended in ended_after(self.store, min(looked.values())):
            name = ended.run.pipeline
            if name in watched and ended.position > looked[name]:
                self._change(name, watched[name], ended)
                looked[name] = ended.position
        for name in looked:
            looked[name] = max(looked[name], end)

    def _look_at_the_clock(self, watched: Mapping[str, Loaded], watches: Mapping[str, Watch]) -> None:
        for name, loaded in watched.items():
            watch, definition = watches.get(name), loaded.definition
            if watch is None:  # Another process has taken it out of service meanwhile.
                continue
            wanted = watch.is_late or any("late" in n.occasions for n in definition.notify)
            turned = wanted and not watch.paused and self._is_overdue(name, definition.schedule, watch) != watch.is_late
            if turned or watch.schedule != schedule_text(definition.schedule):
                self._change(name, loaded)

    def _change(self, name: str, loaded: Loaded, ended: Ended | None = None) -> None:
        now = self.now()
        decided: list[Decision | None] = []

        def act(watch: Watch) -> Decision | None:
            decided.append(decide(loaded.definition, watch, ended, now))
            return decided[-1]

        self.records.change(name, act)
        if decided and decided[-1] is not None and decided[-1].told:
            self.failpoints.reached("notification recorded")

    def _is_overdue(self, name: str, schedule: Schedule | None, watch: Watch) -> bool:
        """Whether a deadline has passed. It is reckoned once for each tick, and looked at often."""
        known = self._due.get(name)
        if known is None or known[:2] != (watch.schedule, watch.covered):
            known = self._due[name] = (watch.schedule, watch.covered, next_due(schedule, watch.covered))
        return known[2] is not None and known[2].due_by < self.now()

    # Telling ---------------------------------------------------------------------------------------------------------

    def _send(self, definitions: Mapping[str, Loaded]) -> None:
        deliveries = self.records.take(definitions.keys(), self.now(), _AT_ONCE)
        if not deliveries:
            return
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="headrace-notify") as threads:
            sending = [threads.submit(self._deliver, definitions[d.pipeline], d) for d in deliveries]
        for one in sending:
            one.result()

    def _deliver(self, loaded: Loaded, delivery: Delivery) -> None:
        error: str | None = None
        try:
            notification = self._notification(loaded, delivery)
            self.notifiers[notification.way].send(loaded, notification, delivery.message)
            self.failpoints.reached("notification sent")
        except RetryableError as refused:
            wait = self.policy.next_delay(delivery.attempt, delivery.elapsed, refused, random.random)
            if wait is not None:
                self.records.postpone(delivery, wait)
                return
            error = f"{refused.message}; given up after {delivery.attempt} attempts"
        except HeadraceError as refused:
            error = refused.message
        except Exception as unforeseen:  # noqa: BLE001 - a boundary: one message is lost, not all others; its words may hold secrets
            error = f"{type(unforeseen).__name__} while telling by {delivery.channel}"
        event = NotificationSentEvent(
            delivery.stream, delivery.pipeline, delivery.alert, delivery.change, delivery.channel, error
        )
        self.records.done(delivery, event)

    def _notification(self, loaded: Loaded, delivery: Delivery) -> Notification:
        for notification in loaded.definition.notify:
            if notification.name == delivery.notification:
                return notification
        raise NonRetryableError(
            f"`{delivery.pipeline}` no longer has a notification `{delivery.notification}`",
            hint="names of notifications are best kept when a definition is changed",
        )
