"""Adds events to a Redis stream as CloudEvents, each under its position in the log, so that a repeated one is found to be there.

An entry has the fields `id`, `source`, `type` and `event`, which is the whole CloudEvent in JSON. Works with Valkey, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from headrace.bus.cloudevents import to_cloudevent
from headrace.bus.store import Envelope
from headrace.errors import NonRetryableError, RetryableError
from headrace.security.secrets import Secret

#: What a server says when it will take the same entry later.
_MAY_PASS = (
    "OOM",
    "LOADING",
    "MISCONF",
    "READONLY",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "TRYAGAIN",
    "BUSY",
)


class RedisStream:
    """One stream of one server. Called with an event, it returns when the server has it."""

    def __init__(self, address: Secret, source: Callable[[], str], stream: str, timeout: float = 10.0) -> None:
        self.address, self.source, self.stream, self.timeout = address, source, stream, timeout
        self._client: Any = None

    def __call__(self, event: Envelope) -> None:
        import redis

        try:
            self._add(event)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._client = None
            raise RetryableError(
                f"the Redis server of stream `{self.stream}` cannot be reached: {type(error).__name__}",
                hint="it is asked again",
            ) from None
        except redis.ResponseError as error:
            kind = str(error).partition(" ")[0]
            said = f"the Redis server does not take an entry for stream `{self.stream}`: {kind}"
            if kind in _MAY_PASS or _is_behind(error):
                raise RetryableError(said, hint="it is asked again") from None
            raise NonRetryableError(said, hint="see what the key holds, then `headrace subscriptions retry`") from None

    def _add(self, event: Envelope) -> None:
        import redis

        written = to_cloudevent(event, self.source())
        fields = {name: written[name] for name in ("id", "source", "type")} | {"event": json.dumps(written, ensure_ascii=False)}
        client, entry = self._connected(), f"{event.position}-0"
        try:
            client.xadd(self.stream, fields, id=entry)
        except redis.ResponseError as error:
            if not _is_behind(error):
                raise
            # It is there already, or the stream has gone on: with others' entries, or behind a dead letter that comes late.
            there = client.xrange(self.stream, entry, entry)
            if not any((found.get(b"id"), found.get(b"source")) == _encoded(fields) for _, found in there):
                newest = client.xinfo_stream(self.stream)["last-generated-id"].decode()
                client.xadd(self.stream, fields, id=f"{newest.partition('-')[0]}-*")

    def _connected(self) -> Any:
        if self._client is None:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            try:
                address = self.address.reveal()
                self._client = redis.Redis.from_url(
                    address, socket_timeout=self.timeout, socket_connect_timeout=self.timeout, retry=Retry(NoBackoff(), 0)
                )
            except NonRetryableError as error:
                raise RetryableError(error.message, hint=error.hint) from None
            except ValueError:
                raise RetryableError("the address of a Redis server is none", hint="mend it in headrace.toml") from None
        return self._client


def _is_behind(error: Exception) -> bool:
    return "equal or smaller" in str(error)


def _encoded(fields: dict[str, Any]) -> tuple[bytes, bytes]:
    return fields["id"].encode(), fields["source"].encode()
