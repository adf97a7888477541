"""Our brokers as the kit wants them: a topic of its own each, on a server that the tests run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

import redis
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.valkey_server import ValkeyServer

from headrace.infrastructure.brokers.redis_source import RedisSource
from headrace.security.secrets import Secret

_NUMBERS = count()


class RedisUnderTest:
    """Two streams of a Valkey server. An entry holds the message in one field; its other fields are headers."""

    carries = frozenset({"headers", "published_at", "null", "empty", "any bytes", "large"})
    can = frozenset({"restart", "share"})

    def __init__(self, server: ValkeyServer) -> None:
        number = next(_NUMBERS)
        self.server, self.partitions = server, (f"a-{number}", f"b-{number}")
        self.source = RedisSource(
            url=Secret(server.url), stream=self.partitions, field="payload", group="watched", format=UNREAD
        )

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        with redis.Redis.from_url(self.server.url) as client, client.pipeline() as pipe:
            for payload in payloads:
                fields = {} if payload is None else {"payload": payload}
                pipe.xadd(partition, {**fields, **(headers or ({} if fields else {"gone": b"1"}))})
            pipe.execute()

    def grow(self) -> str:
        raise AssertionError("the streams are those that the options name")

    def restart(self) -> None:
        self.server.stop()
        self.server.start()
