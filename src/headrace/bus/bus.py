"""The event bus: appending is the commit, and those who subscribed hear of it afterwards, in order. Not a broker between processes.

    bus.subscribe([PipelineCompletedEvent], print)
    await bus.publish(PipelineCompletedEvent("run-1", {"rows": 5}))

A handler here lives as long as its process. One that must miss nothing is a `Subscription`, which keeps its own position.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence

from headrace.bus.events import Event
from headrace.bus.store import UNKNOWN, Envelope, EventStore, Origin

#: Called with each event, one after the other; may be a coroutine function.
Handler = Callable[[Envelope], Awaitable[None] | None]


class EventBus:
    """Publishes facts to a store, then to handlers. What is not stored did not happen; no handler can undo it."""

    def __init__(self, store: EventStore, origin: Origin = UNKNOWN) -> None:
        self.store, self.origin = store, origin
        self._handlers: list[tuple[frozenset[str], Handler]] = []

    def subscribe(self, types: type[Event] | Sequence[type[Event]], handler: Handler) -> None:
        """Hear of events of a type, of several, or with an empty sequence of all."""
        wanted = [types] if isinstance(types, type) else types
        self._handlers.append((frozenset(t.written for t in wanted), handler))

    async def publish(self, event: Event) -> Envelope:
        """Append one event; returns when it is stored and every handler has heard of it."""
        import asyncio

        stored = await asyncio.to_thread(self.store.append, event.pipeline_id, (event,), None, self.origin)
        for answer in self._told(stored):
            await answer
        return stored[0]

    def record(self, *events: Event, expect: int | None = None) -> Sequence[Envelope]:
        """The same for code that does not wait: events of one run, committed together.

        With `expect`, raises `RetryableError` when the run has another number of events: somebody else went on with it.
        """
        if not events:
            return ()
        return self.tell(self.store.append(events[0].pipeline_id, events, expect, self.origin))

    def tell(self, stored: Sequence[Envelope]) -> Sequence[Envelope]:
        """Let the handlers hear of events that were stored together with something else."""
        answers = self._told(stored)
        if answers:
            import asyncio

            asyncio.run(_all(answers))
        return stored

    def _told(self, stored: Sequence[Envelope]) -> list[Awaitable[None]]:
        answers = [
            handler(envelope) for envelope in stored for types, handler in self._handlers if not types or envelope.type in types
        ]
        return [answer for answer in answers if inspect.isawaitable(answer)]


async def _all(answers: Sequence[Awaitable[None]]) -> None:
    for answer in answers:
        await answer
