"""NATS as the kit of brokers wants it: a stream of its own, read by sequence, by subjects, or by a durable consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.nats_server import NatsServer

from headrace.infrastructure.brokers.nats.connection import NatsConnection
from headrace.infrastructure.brokers.nats.protocol import published
from headrace.infrastructure.brokers.nats.source import NatsSource
from headrace.security.secrets import Secret

_NUMBERS = count()


class NatsUnderTest:
    """A stream, its partitions by the options of the source."""

    carries = frozenset({"headers", "published_at", "empty", "any bytes", "large"})
    can = frozenset({"restart", "share"})

    def __init__(self, server: NatsServer, by: str) -> None:
        number = next(_NUMBERS)
        self.server, self.stream = server, f"S{number}"
        options: dict[str, Any] = {
            "sequence": {},
            "subjects": {"subjects": [f"{self.stream}.a", f"{self.stream}.b"]},
            "consumer": {"consumer": "kit", "ack_seconds": 2},
        }[by]
        self.source = NatsSource(url=Secret(server.url), stream=self.stream, format=UNREAD, **options)
        self.partitions: Sequence[str] = options.get("subjects", [options.get("consumer", self.stream)])
        self._subject = {p: p if "subjects" in options else f"{self.stream}.all" for p in self.partitions}
        retention = "workqueue" if by == "consumer" else "limits"
        self.ask(
            f"$JS.API.STREAM.CREATE.{self.stream}", name=self.stream, subjects=[f"{self.stream}.>"], retention=retention, max_msg_size=-1
        )  # fmt: skip

    def ask(self, subject: str, **question: Any) -> Any:
        protocol = NatsConnection(url=Secret(self.server.url)).connect(Path())
        try:
            told = protocol.ask(subject, question)
        finally:
            protocol.close()
        assert "error" not in told, told
        return told

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        protocol = NatsConnection(url=Secret(self.server.url)).connect(Path())
        written = None
        if headers:
            written = b"NATS/1.0\r\n" + b"".join(b"%b: %b\r\n" % (n.encode(), v) for n, v in headers.items()) + b"\r\n"
        sid, inbox = protocol.subscribe()
        for payload in payloads:
            protocol.send(published(self._subject[partition], payload or b"", inbox, written))
        left = len(payloads)
        while left:
            acknowledged = protocol.receive(5.0).get(sid)
            for payload in acknowledged.payloads if acknowledged else ():
                assert b"error" not in payload, payload
                left -= 1
        protocol.close()

    def grow(self) -> str:
        raise AssertionError("the subjects are those that the options name")

    def restart(self) -> None:
        self.server.kill()
        self.server.start()
