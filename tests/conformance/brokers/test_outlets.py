"""The sink of Redis keeps the laws of those that take the output of a stream, on a server that runs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import redis
from tests.integration.valkey_server import ValkeyServer

from headrace import testing
from headrace.infrastructure.brokers.redis.sink import RedisSink


def sink(url: str, stream: str) -> RedisSink:
    return RedisSink.model_validate({"url": url, "stream": stream})


def in_a_copy(made: RedisSink) -> RedisSink:
    """The sink of a copy of the stream and of its ledger."""
    copy = made.model_copy(update={"stream": f"copy-{uuid.uuid4().hex}"})
    with made.client() as client:
        client.copy(made.stream, copy.stream)
        client.copy(made.ledger_key, copy.ledger_key)
    return copy


def test_redis_conforms(valkey: ValkeyServer, tmp_path: Path) -> None:
    def look(_project: Path) -> Iterable[tuple[int, str]]:
        with redis.Redis.from_url(valkey.url) as client:
            found = [json.loads(fields[b"message"]) for _, fields in client.xrange("kit")]
        return [(row["id"], row["name"]) for row in found]

    def cut() -> None:
        with redis.Redis.from_url(valkey.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)

    make = partial(sink, valkey.url, "kit")
    testing.outlet_conforms(make, tmp_path, look, crashes=1, kills=1, rehearse=in_a_copy, cut=cut)
