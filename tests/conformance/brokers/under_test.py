"""Our brokers as the kit wants them: a topic of its own each, on a server that the tests run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.tansu_server import TansuServer
from tests.integration.valkey_server import ValkeyServer

from headrace.infrastructure.brokers.kafka.source import KafkaSource
from headrace.infrastructure.brokers.redis.source import RedisSource
from headrace.infrastructure.brokers.tail.source import TailSource
from headrace.security.secrets import Secret

_NUMBERS = count()
SILENT = logging.getLogger("librdkafka")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class RedisUnderTest:
    """Two streams of a Valkey server. An entry holds the message in one field; its other fields are headers."""

    carries = frozenset({"headers", "published_at", "null", "empty", "any bytes", "large"})
    can = frozenset({"restart", "share", "seek"})

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


class KafkaUnderTest:
    """A topic with two partitions, and all topics whose names go on after its own. Tansu cannot add partitions to a topic, finds no
    offsets by time, is wrong about the end of a partition whose last batch has several records, and forgets everything when it stops:
    its connections are cut instead."""

    carries = frozenset({"key", "headers", "published_at", "null", "empty", "any bytes", "large"})
    can = frozenset({"grow", "restart", "share"})

    def __init__(self, server: TansuServer) -> None:
        self.server, self.name, self.grown = server, f"topic-{next(_NUMBERS)}-", 0
        self.partitions = (f"{self.name}/0", f"{self.name}/1")
        self.source = KafkaSource.model_validate(
            {"servers": server.servers, "topic": f"^{self.name}", "group": self.name, "discover": "1 second", "format": UNREAD}
        )
        # A message for each batch, for the end of the partition to be right.
        self.producer = Producer(
            {
                "bootstrap.servers": self.server.servers,
                "message.max.bytes": 1 << 22,
                "batch.num.messages": 1,
                "enable.idempotence": False,
                "max.in.flight": 1,
                "logger": SILENT,
            }
        )
        self._create(self.name, 2)

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        topic, _, number = partition.rpartition("/")
        for payload in payloads:
            self.producer.produce(topic, payload, key, int(number), headers=list((headers or {}).items()))
        assert self.producer.flush(60) == 0

    def grow(self) -> str:
        self.grown += 1
        self._create(f"{self.name}{self.grown}", 1)
        return f"{self.name}{self.grown}/0"

    def restart(self) -> None:
        self.server.cut()

    def _create(self, topic: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.server.servers, "logger": SILENT})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)


class TailUnderTest:
    """Two files that grow. Lines carry what has no line end in it, and nothing beside it."""

    carries = frozenset({"large"})
    can = frozenset({"share"})

    def __init__(self, folder: Path) -> None:
        self.folder, self.partitions = folder, ("a.log", "b.log")
        self.source = TailSource.model_validate({"path": self.partitions, "format": UNREAD})

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        with (self.folder / partition).open("ab", buffering=0) as file:
            for payload in payloads:
                file.write((payload or b"") + b"\n")

    def grow(self) -> str:
        raise AssertionError("the files are those that the options name")

    def restart(self) -> None:
        raise AssertionError("there is no server")
