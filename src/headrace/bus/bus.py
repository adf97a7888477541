"""The event bus: appending is the commit, and those who subscribed hear of it afterwards, in order. Not a broker between processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.bus.events import Event
from headrace.bus.store import Envelope, EventStore

Handler = Callable[[Envelope], None]


class EventBus:
    """Publishes facts to a store, then to handlers. What is not stored did not happen; no handler can undo it."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._handlers: list[tuple[tuple[str, ...], Handler]] = []

    def subscribe(self, handler: Handler, types: Sequence[type[Event]] = ()) -> None:
        """Hear of events of these types, or of all."""
        self._handlers.append((tuple(t.written for t in types), handler))

    def publish(self, stream: str, *events: Event) -> Sequence[Envelope]:
        stored = self.store.append(stream, events)
        for envelope in stored:
            for types, handler in self._handlers:
                if not types or envelope.type in types:
                    handler(envelope)
        return stored
