"""RabbitMQ beyond the laws of the kit, on a real server: what is said when something is wrong, what streams hold, and what is confirmed."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pika
import pytest
import trustme
from pydantic import ValidationError
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.brokers.lines_format import LINES, TEXT, rows
from tests.integration.rabbitmq_server import RabbitMQServer

from headrace.business.connections import Profile
from headrace.business.ports import Position
from headrace.business.streams.messages import Sharing
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.rabbitmq.amqp_messages import opened
from headrace.infrastructure.brokers.rabbitmq.chunks import chunk
from headrace.infrastructure.brokers.rabbitmq.connection import RabbitMQConnection
from headrace.infrastructure.brokers.rabbitmq.sink import RabbitMQSink
from headrace.infrastructure.brokers.rabbitmq.source import RabbitMQSource
from headrace.security.secrets import Secret
from headrace.testing.fetching import fetch

ALONE = Sharing("tests")
HOME = Path()
_NUMBERS = count()


@pytest.fixture
def channel(rabbitmq_server: RabbitMQServer) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    yield connection.channel()
    connection.close()


def declared(channel: Any, kind: str = "quorum", **arguments: Any) -> str:
    name = f"tested-{next(_NUMBERS)}"
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind, **arguments})
    return name


def to(server: RabbitMQServer, **options: Any) -> RabbitMQConnection:
    return RabbitMQConnection(**{"host": "127.0.0.1", "port": server.port, "stream_port": server.stream_port, **options})


def source(server: RabbitMQServer, **options: Any) -> RabbitMQSource:
    return RabbitMQSource(connection=Profile("broker", to(server)), format=UNREAD, **options)


def sent(server: RabbitMQServer, *texts: str, **place: str) -> Any:
    outlet = RabbitMQSink(url=Secret(server.url), format=LINES, **place).outlet(HOME, "p", TEXT)
    try:
        return outlet.commit(1, rows(*texts))
    finally:
        outlet.close()


def texts(opened_feed: Any, due: int) -> list[bytes | None]:
    got = fetch(opened_feed, due, quiet=True)
    opened_feed.close()
    return [payload for payloads in got.payloads.values() for payload in payloads]


# Connecting ----------------------------------------------------------------------------------------------------------


def test_a_server_says_who_it_is(rabbitmq_server):
    answer = to(rabbitmq_server).reach(HOME)
    assert answer.server.startswith("RabbitMQ 3.")
    assert (answer.user, answer.tls, answer.verified) == ("guest", None, False)


@pytest.mark.parametrize(
    ("options", "kind", "said", "hint"),
    [
        (
            {"user": "guest", "password": Secret("wrong-word")},
            NonRetryableError,
            "password is wrong|Login was refused|ACCESS_REFUSED",
            "see that",
        ),
        ({"virtual_host": "nowhere"}, NonRetryableError, "nowhere|virtual host", "is spelt right, and the user may use it"),
        ({"host": "no-such-host.invalid"}, RetryableError, "Name or service not known", "see that `host` is spelt right"),
        ({"port": 1, "stream_port": 1}, RetryableError, "Connection refused", "see that the server runs"),
    ],
)
def test_each_wrong_part_is_told_apart_for_queues_and_streams(rabbitmq_server, options, kind, said, hint):
    connection = Profile("broker", to(rabbitmq_server, **options))
    for place in ({"queue": "q"}, {"stream": "s"}):
        with pytest.raises(kind, match=said) as caught:
            RabbitMQSource(connection=connection, format=UNREAD, **place).feed(HOME, ALONE, {})
        assert hint in str(caught.value)
        assert "wrong-word" not in str(caught.value)


def by_tls(server: RabbitMQServer, **options: Any) -> RabbitMQConnection:
    return to(server, **{"host": "localhost", "port": server.tls_port, "stream_port": server.stream_tls_port, **options})


def test_queues_and_streams_are_read_over_verified_tls(rabbitmq_server, channel, tmp_path):
    rabbitmq_server.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    connection = by_tls(rabbitmq_server, ca="ca.pem")
    answer = connection.reach(tmp_path)
    assert (answer.tls, answer.verified) == ("TLS", True)
    for kind, option in (("quorum", "queue"), ("stream", "stream")):
        name = declared(channel, kind)
        sent(rabbitmq_server, "a", queue=name)
        reading = RabbitMQSource(connection=Profile("broker", connection, tmp_path), format=UNREAD, **{option: name})
        assert texts(reading.feed(tmp_path, ALONE, {}), 1) == [b"a"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"ca": "other.pem"}, "certificate verify failed"), ({"ca": "ca.pem", "host": "127.0.0.1"}, "mismatch")],
)
@pytest.mark.parametrize("place", [{"queue": "q"}, {"stream": "s"}])
def test_who_nobody_vouches_for_is_refused(rabbitmq_server, tmp_path, options, said, place):
    rabbitmq_server.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    connection = Profile("broker", by_tls(rabbitmq_server, **options), tmp_path)
    with pytest.raises(NonRetryableError, match=said):
        RabbitMQSource(connection=connection, format=UNREAD, **place).feed(tmp_path, ALONE, {})


def test_tls_is_demanded_of_a_port_or_not():
    with pytest.raises(ValidationError, match="speaks TLS or does not"):
        RabbitMQConnection(host="h", tls="prefer")
    assert RabbitMQConnection(url=Secret("amqps://h/")).tls_mode == "verify-full"
    assert RabbitMQConnection(url=Secret("amqps://h/")).address.port == 5671
    assert RabbitMQConnection(host="h", ca="ca.pem").streams.port == 5551


@pytest.mark.parametrize("place", [{"queue": "no-such"}, {"stream": "no-such"}])
def test_what_is_not_there_is_told(rabbitmq_server, place):
    with pytest.raises(NonRetryableError, match="no-such"):
        source(rabbitmq_server, **place).feed(HOME, ALONE, {})


def test_a_queue_is_not_read_as_a_stream(rabbitmq_server, channel):
    with pytest.raises(NonRetryableError, match="there is no such stream"):
        source(rabbitmq_server, stream=declared(channel)).feed(HOME, ALONE, {})


@pytest.mark.parametrize(
    "options", [{}, {"queue": "a", "stream": "b"}, {"queue": "a", "consumer": "c"}, {"stream": "a", "prefetch": 5}]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        RabbitMQSource(url=Secret("amqp://h/"), format=UNREAD, **options)


# Reading -------------------------------------------------------------------------------------------------------------


def test_no_more_than_the_prefetch_comes_until_it_is_acknowledged(rabbitmq_server, channel):
    queue = declared(channel)
    sent(rabbitmq_server, *"abcde", queue=queue)
    feed = source(rabbitmq_server, queue=queue, prefetch=3).feed(HOME, ALONE, {})
    got = fetch(feed, 3, quiet=True)
    assert got.payloads == {queue: [b"a", b"b", b"c"]}
    feed.acknowledge(got.ends)
    assert texts(feed, 2) == [b"d", b"e"]


def test_what_limits_dropped_unread_is_not_passed_over(rabbitmq_server, channel):
    stream = declared(channel, "stream", **{"x-max-length-bytes": 10_000, "x-stream-max-segment-size-bytes": 5000})
    for n in range(12):
        sent(rabbitmq_server, f"{n:03000}", queue=stream)
    feed = source(rabbitmq_server, stream=stream, on_gap="continue").feed(HOME, ALONE, {stream: Position("0")})
    first = fetch(feed, 1).positions[stream][0]
    feed.close()
    assert first > 1
    with pytest.raises(NonRetryableError, match=r"may have dropped messages 1 to [0-9]+, which were not read yet"):
        texts(source(rabbitmq_server, stream=stream).feed(HOME, ALONE, {stream: Position("0")}), 1)


def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one(rabbitmq_server, channel):
    stream = declared(channel, "stream")
    sent(rabbitmq_server, "a", queue=stream)
    with pytest.raises(NonRetryableError, match="it was made anew"):
        source(rabbitmq_server, stream=stream).feed(HOME, ALONE, {stream: Position("17")})


def test_a_named_consumer_leaves_its_mark_and_the_gap_that_it_makes_is_none(rabbitmq_server, channel):
    """The server writes how far a consumer is into the stream itself, under an offset of its own."""
    stream = declared(channel, "stream")
    sent(rabbitmq_server, "a", "b", queue=stream)
    feed = source(rabbitmq_server, stream=stream, consumer="watched").feed(HOME, ALONE, {})
    got = fetch(feed, 2)
    feed.acknowledge(got.ends)
    feed.close()
    sent(rabbitmq_server, "c", queue=stream)
    assert texts(source(rabbitmq_server, stream=stream).feed(HOME, ALONE, got.ends), 1) == [b"c"]


def test_what_an_exchange_routed_has_its_routing_key(rabbitmq_server, channel):
    for kind, option in (("quorum", "queue"), ("stream", "stream")):
        name = declared(channel, kind)
        channel.queue_bind(name, "amq.topic", f"{name}.*")
        sent(rabbitmq_server, "a", exchange="amq.topic", routing_key=f"{name}.eu")
        feed = source(rabbitmq_server, **{option: name}).feed(HOME, ALONE, {})
        got = fetch(feed, 1)
        feed.close()
        assert got.facts[name]["key_bytes"] == [f"{name}.eu".encode()]


def entry(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def test_what_a_publisher_compressed_by_gzip_is_unpacked():
    """One entry may hold many messages. Offsets count messages."""
    packed = gzip.compress(entry(b"one") + entry(b"two"))
    data = entry(b"zero") + struct.pack(">BHII", 0x80 | 1 << 4, 2, 14, len(packed)) + packed
    head = struct.pack(">bbHIqQQiIII", 0x50, 0, 2, 3, 1000, 1, 7, 0, len(data), 0, 0)
    found = chunk(head + data)
    assert found is not None
    assert (found.first, found.messages) == (7, [b"zero", b"one", b"two"])
    snappy = head + entry(b"zero") + struct.pack(">BHII", 0x80 | 2 << 4, 2, 14, 0)
    with pytest.raises(NonRetryableError, match="compressed by snappy"):
        chunk(struct.pack(">bbHIqQQiIII", 0x50, 0, 2, 3, 1000, 1, 7, 0, len(snappy) - 48, 0, 0) + snappy[48:])


@pytest.mark.parametrize(
    "plain", [b"", b"plain", b"{}", b"\x00", b"\x00Su", b"\x00Su\xa0\xff", b"\x00\x00\x00\x00", bytes(range(256))]
)
def test_a_message_that_is_no_amqp_is_its_own_body(plain):
    assert opened(plain) == (plain, None, None)


# Writing -------------------------------------------------------------------------------------------------------------


def test_many_messages_are_confirmed_and_come_in_order(rabbitmq_server, channel):
    queue = declared(channel)
    written = [f"{n}" for n in range(7000)]
    assert sent(rabbitmq_server, *written, queue=queue).inserted == 7000
    assert texts(source(rabbitmq_server, queue=queue).feed(HOME, ALONE, {}), 7000) == [text.encode() for text in written]


def test_a_message_that_nobody_gets_is_told(rabbitmq_server):
    with pytest.raises(NonRetryableError, match="a message was returned: NO_ROUTE") as caught:
        sent(rabbitmq_server, "a", queue="no-such")
    assert "declare the queue" in str(caught.value)
    with pytest.raises(NonRetryableError, match="no exchange 'no-such'"):
        sent(rabbitmq_server, "a", exchange="no-such")


def test_a_full_queue_refuses_until_there_is_room(rabbitmq_server, channel):
    queue = declared(channel, "classic", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    with pytest.raises(RetryableError, match="took a message not"):
        sent(rabbitmq_server, "a", "b", "c", queue=queue)
    channel.queue_purge(queue)
    assert sent(rabbitmq_server, "b", queue=queue).inserted == 1
