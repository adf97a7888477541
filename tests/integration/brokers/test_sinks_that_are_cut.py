"""A sink whose connection is cut says so, and the same epoch sent again arrives, on real brokers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.brokers.lines_format import LINES, TEXT, rows
from tests.integration.brokers.test_nats import a_stream
from tests.integration.mosquitto_server import MosquittoServer
from tests.integration.nats_server import NatsServer
from tests.integration.rabbitmq_server import RabbitMQServer

from headrace.business.streams.messages import Sharing
from headrace.errors import RetryableError
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.relay import Relay
from headrace.testing.fetching import fetch

HOME, PLACE = Path(), "cut"


@contextmanager
def nats(_: RabbitMQServer) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    with NatsServer.running() as server:
        a_stream(server, PLACE)
        yield server.port, {"subject": f"{PLACE}.x"}, {"stream": PLACE}


@contextmanager
def rabbitmq(server: RabbitMQServer) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    with pika.BlockingConnection(pika.URLParameters(server.url)) as admin:
        admin.channel().queue_declare(PLACE, durable=True, arguments={"x-queue-type": "quorum"})
    yield server.port, {"queue": PLACE}, {"queue": PLACE}


@contextmanager
def mqtt(_: RabbitMQServer) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    with MosquittoServer.running() as server:
        yield server.port, {"topic": PLACE}, {"topic": PLACE}


BROKERS = {"nats": (nats, "nats"), "rabbitmq": (rabbitmq, "amqp"), "mqtt": (mqtt, "mqtt")}


@pytest.mark.parametrize("kind", BROKERS)
def test_an_epoch_that_was_cut_off_arrives_when_it_is_sent_again(kind: str, rabbitmq_server: RabbitMQServer) -> None:
    server, scheme = BROKERS[kind]
    with ExitStack() as stack:
        port, to, of = stack.enter_context(server(rabbitmq_server))
        relay = stack.enter_context(Relay("127.0.0.1", port))
        source: Any = Catalog().source(kind).model_validate({"url": f"{scheme}://127.0.0.1:{port}", "format": UNREAD, **of})
        feed = source.feed(HOME, Sharing("cut"), {})
        stack.callback(feed.close)
        sink: Any = Catalog().sink(kind).model_validate({"url": f"{scheme}://{relay.address}", "format": LINES, **to})
        outlet = sink.outlet(HOME, "p", TEXT)
        stack.callback(outlet.close)
        outlet.commit(1, rows("a"))
        relay.cut()
        with pytest.raises(RetryableError):
            outlet.commit(2, rows("b"))
        outlet.commit(2, rows("b"))
        got = fetch(feed, 2, once=True)
    assert [payload for payloads in got.once().values() for payload in payloads] == [b"a", b"b"]
