"""Makes durable subscriptions of the outlets that the settings name. Not the delivery (see `storage.delivering`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from headrace.bus.subscriptions import Backoff, Handler, Subscription
from headrace.bus.upcasting import KNOWN
from headrace.errors import UsageError
from headrace.infrastructure.outbox.redis_stream import RedisStream
from headrace.infrastructure.outbox.webhook import Webhook
from headrace.security.secrets import Secret, Vault
from headrace.settings import Outlet


def subscriptions(outlets: Iterable[Outlet], vault: Vault, source: Callable[[], str]) -> Iterator[Subscription]:
    """One for each outlet. It begins with what happens after it is first served; what the other side refuses for good is soon given up,
    what it cannot take now waits for as long as it takes. Raises `UsageError` for a type that no event has."""
    for outlet in outlets:
        for pattern in outlet.types:
            if not any(fnmatchcase(kind, pattern) for kind in KNOWN):
                raise UsageError(
                    f"outlet `{outlet.name}`: no event is of type `{pattern}`",
                    hint="types are such as: " + ", ".join(sorted(KNOWN)),
                )
        yield Subscription(
            f"outbox {outlet.name}",
            outlet.types,
            _handler(outlet, vault, source),
            attempts=3,
            backoff=Backoff(),
            starts="now",
            patient=True,
        )


def _handler(outlet: Outlet, vault: Vault, source: Callable[[], str]) -> Handler:
    address = Secret(outlet.address, vault)
    if outlet.kind == "redis":
        return RedisStream(address, source, outlet.stream, outlet.timeout)
    return Webhook(address, source, Secret(outlet.secret, vault) if outlet.secret else None, outlet.timeout)
