"""MQTT beyond the laws of the kit, on real servers: who is let in, what is said when something is wrong, and what waits for us."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.brokers.lines_format import LINES, TEXT, rows
from tests.integration.mosquitto_server import MosquittoServer

from headrace.business.streams.messages import Sharing
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers import gathering
from headrace.infrastructure.brokers.mqtt import packets
from headrace.infrastructure.brokers.mqtt.connection import MqttConnection, passing_session
from headrace.infrastructure.brokers.mqtt.sink import MqttSink
from headrace.infrastructure.brokers.mqtt.source import MqttSource
from headrace.security.secrets import Secret
from headrace.testing.fetching import fetch

ALONE = Sharing("tests")
HOME = Path()
_NUMBERS = count()


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[MosquittoServer]:
    with MosquittoServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(authority: trustme.CA) -> Iterator[MosquittoServer]:
    """A server with TLS and passwords, whose certificate is for `localhost` alone; a user may read below `open` and nowhere else."""
    server = MosquittoServer()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(server.folder / "cert.pem")
    issued.private_key_pem.write_to_path(server.folder / "key.pem")
    program = shutil.which("mosquitto_passwd")
    assert program is not None
    subprocess.run([program, "-b", "-c", str(server.folder / "passwords"), "reader", "geheim"], check=True)
    (server.folder / "acl").write_text("user reader\ntopic read open/#\n")
    server.config = (
        f"certfile {server.folder}/cert.pem\nkeyfile {server.folder}/key.pem\nallow_anonymous false\n"
        f"password_file {server.folder}/passwords\nacl_file {server.folder}/acl"
    )
    yield server.start()
    server.remove()


def source(server: MosquittoServer, topic: str, **options: Any) -> MqttSource:
    return MqttSource(url=Secret(server.url), topic=topic, format=UNREAD, **options)


def a_topic() -> str:
    return f"tested/{next(_NUMBERS)}"


def sent(server: MosquittoServer, topic: str, *texts: str, **options: Any) -> Any:
    outlet = MqttSink(url=Secret(server.url), topic=topic, format=LINES, **options).outlet(HOME, "p", TEXT)
    try:
        return outlet.commit(1, rows(*texts))
    finally:
        outlet.close()


# Connecting ----------------------------------------------------------------------------------------------------------


def to(server: MosquittoServer, host: str = "localhost", **options: Any) -> MqttConnection:
    return MqttConnection(**{"host": host, "port": server.port, "user": "reader", "password": Secret("geheim"), **options})


def test_a_server_is_reached_with_tls_and_without(mosquitto, guarded, authority, tmp_path):
    assert MqttConnection(url=Secret(mosquitto.url)).reach(HOME).tls is None
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    answer = to(guarded, ca="ca.pem").reach(tmp_path)
    assert answer.verified
    assert str(answer.tls).startswith("TLSv1.")


@pytest.mark.parametrize(
    ("options", "kind", "said", "hint"),
    [
        ({"ca": "other.pem"}, NonRetryableError, "certificate verify failed", "give in `ca`"),
        ({"ca": "ca.pem", "host": "127.0.0.1"}, NonRetryableError, "address mismatch", "name the host as its certificate does"),
        ({"ca": "ca.pem", "password": Secret("wrong-word")}, NonRetryableError, "not authorised|password is wrong", "see that"),
        ({"tls": "off"}, RetryableError, "closed|reset", "see that the server runs"),
        ({"host": "no-such-host.invalid"}, RetryableError, "Name or service not known", "see that `host` is spelt right"),
        ({"port": 1}, RetryableError, "Connection refused", "see that the server runs"),
    ],
)
def test_each_wrong_part_is_told_apart(guarded, authority, tmp_path, options, kind, said, hint):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(kind, match=said) as caught:
        to(guarded, **options).reach(tmp_path)
    assert hint in str(caught.value)
    assert "wrong-word" not in str(caught.value)


def test_a_topic_that_we_may_not_publish_to_is_told(guarded, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    protocol = to(guarded, ca="ca.pem").connect(tmp_path, passing_session())
    with pytest.raises(NonRetryableError, match="topic `closed/x`: we are not authorised"):
        protocol.publish("closed/x", [(b"a", b"")], retain=False)
    protocol.close()


# Reading -------------------------------------------------------------------------------------------------------------


def test_what_is_published_while_we_are_away_waits(mosquitto):
    topic = a_topic()
    source(mosquitto, topic).feed(HOME, ALONE, {}).close()
    sent(mosquitto, topic, "a", "b")
    feed = source(mosquitto, topic).feed(HOME, ALONE, {})
    assert fetch(feed, 2, quiet=True).payloads == {topic: [b"a", b"b"]}
    feed.close()


def test_topic_and_user_properties_come_with_a_message(mosquitto):
    topic = a_topic()
    feed = source(mosquitto, f"{topic}/+").feed(HOME, ALONE, {})
    sent(mosquitto, f"{topic}/eu", "a")
    got = fetch(feed, 1)
    feed.close()
    facts = got.facts[f"{topic}/+"]
    assert facts["key_bytes"] == [f"{topic}/eu".encode()]
    assert facts["headers"] == [[{"key": "id", "value": b"p/1/0"}]]


def test_no_more_than_may_be_underway_comes_until_it_is_acknowledged(mosquitto):
    topic = a_topic()
    feed = source(mosquitto, topic, inflight=3).feed(HOME, ALONE, {})
    sent(mosquitto, topic, *"abcde")
    got = fetch(feed, 3, quiet=True)
    assert got.payloads == {topic: [b"a", b"b", b"c"]}
    feed.acknowledge(got.ends)
    assert fetch(feed, 2, quiet=True).payloads == {topic: [b"d", b"e"]}
    feed.close()


def test_what_is_retained_comes_once_and_not_with_every_connection(mosquitto):
    topic = a_topic()
    sent(mosquitto, topic, "kept", retain=True)
    for due in (1, 0):
        feed = source(mosquitto, topic).feed(HOME, ALONE, {})
        got = fetch(feed, due, quiet=True)
        feed.acknowledge(got.ends)
        feed.close()
        assert got.count == due


def test_start_means_nothing():
    with pytest.raises(ValidationError, match="`start` means nothing here"):
        MqttSource(url=Secret("mqtt://h"), topic="t", format=UNREAD, start="latest")


# Packets -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 268_435_455))
def test_numbers_are_read_as_they_were_written(value):
    written = packets.number(value)
    assert packets.read_number(written + b"\xff", 0) == (value, len(written))


@given(st.lists(st.tuples(st.integers(1, 15), st.binary(max_size=300)), max_size=8), st.data())
def test_packets_come_apart_wherever_the_network_cuts_them(sent_packets, data):
    written = b"".join(packets.packet(kind, body) for kind, body in sent_packets)
    cut = data.draw(st.integers(0, len(written)))
    first, rest = packets.split(written[:cut])
    second, left = packets.split(rest + written[cut:])
    assert [(byte >> 4, body) for byte, body in first + second] == sent_packets
    assert left == b""


def test_large_messages_come_some_at_a_time(mosquitto, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_BYTES", 100_000)
    topic, written = a_topic(), [f"{n:05}".ljust(30_000, "x") for n in range(40)]
    feed = source(mosquitto, topic).feed(HOME, ALONE, {})
    sent(mosquitto, topic, *written)
    got, sizes = [], []
    while len(got) < len(written):
        for messages in feed.poll(1000, 5.0):
            got += [payload.as_py().decode() for payload in messages.payloads]
            sizes.append(len(messages) * 30_000)
            feed.acknowledge({messages.partition: messages.last})
    feed.close()
    assert got == written
    assert max(sizes) < 10 * 100_000, sizes
