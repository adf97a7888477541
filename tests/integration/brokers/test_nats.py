"""NATS beyond the laws of the kit, on real servers: who is let in, what is said when something is wrong, and what a repeat does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.brokers.lines_format import LINES, TEXT, rows
from tests.integration.brokers.nats_identities import Realm
from tests.integration.nats_server import NatsServer

from headrace.business.ports import Position
from headrace.business.streams.messages import Sharing
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers import gathering
from headrace.infrastructure.brokers.nats.connection import NatsConnection
from headrace.infrastructure.brokers.nats.deliveries import Deliveries
from headrace.infrastructure.brokers.nats.sink import NatsSink
from headrace.infrastructure.brokers.nats.source import NatsSource
from headrace.security.secrets import Secret
from headrace.testing.fetching import fetch

ALONE = Sharing("tests")
HOME = Path()


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    with NatsServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(authority: trustme.CA) -> Iterator[NatsServer]:
    """A server that demands TLS and a password, whose certificate is for `localhost` alone."""
    server = NatsServer(jetstream=False)
    issued = authority.issue_cert("localhost")
    cert, key = server.folder / "cert.pem", server.folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    server.config = (
        f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\nauthorization {{ users: [{{user: reader, password: geheim}}] }}'
    )
    yield server.start()
    server.remove()


def ask(server: NatsServer, subject: str, **question: Any) -> Any:
    protocol = NatsConnection(url=Secret(server.url)).connect(HOME)
    try:
        return protocol.ask(subject, question)
    finally:
        protocol.close()


def a_stream(server: NatsServer, name: str, **config: Any) -> str:
    told = ask(server, f"$JS.API.STREAM.CREATE.{name}", name=name, subjects=[f"{name}.>"], **config)
    assert "error" not in told, told
    return name


def sent(server: NatsServer, stream: str, *texts: str, epoch: int = 1, pipeline: str = "p") -> Any:
    outlet = NatsSink(url=Secret(server.url), subject=f"{stream}.x", format=LINES).outlet(HOME, pipeline, TEXT)
    try:
        return outlet.commit(epoch, rows(*texts))
    finally:
        outlet.close()


def texts(
    server: NatsServer, stream: str, due: int, after: dict[str, Position] | None = None, **options: Any
) -> list[bytes | None]:
    feed = NatsSource(url=Secret(server.url), stream=stream, format=UNREAD, **options).feed(HOME, ALONE, after or {})
    got = fetch(feed, due, quiet=True)
    feed.close()
    return [payload for payloads in got.payloads.values() for payload in payloads]


# Connecting ----------------------------------------------------------------------------------------------------------


def to(server: NatsServer, host: str = "localhost", **options: Any) -> NatsConnection:
    given = {"host": host, "port": server.port, "user": "reader", "password": Secret("geheim"), **options}
    return NatsConnection(**{name: value for name, value in given.items() if value is not None})


def test_a_server_says_who_it_is(nats):
    answer = NatsConnection(url=Secret(nats.url)).reach(HOME)
    assert answer.server.startswith("NATS 2.")
    assert answer.rights == {"jetstream": True}
    assert answer.tls is None


def test_tls_is_verified_by_the_ca(guarded, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    answer = to(guarded, ca="ca.pem").reach(tmp_path)
    assert answer.verified
    assert str(answer.tls).startswith("TLSv1.")
    assert "has no JetStream" in answer.notes[0]


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"tls": "off"}, "the server wants TLS", "say `tls: require`"),
        ({"ca": "other.pem"}, "certificate verify failed", "give in `ca` the certificate of whoever vouches"),
        ({"ca": "ca.pem", "host": "127.0.0.1"}, "address mismatch", "name the host as its certificate does"),
        ({"password": Secret("wrong-word")}, "Authorization Violation", "see that user and password"),
        ({"user": None, "password": None}, "Authorization Violation", "see that user and password"),
    ],
)
def test_each_wrong_part_is_told_apart(guarded, authority, tmp_path, options, said, hint):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(NonRetryableError, match=said) as caught:
        to(guarded, **options).reach(tmp_path)
    assert hint in str(caught.value)
    assert "wrong-word" not in str(caught.value)


def test_a_server_without_tls_is_refused_where_it_is_demanded(nats):
    with pytest.raises(NonRetryableError, match="the server has no TLS"):
        NatsConnection(host="localhost", port=nats.port, tls="require").reach(HOME)


@pytest.mark.parametrize(
    ("host", "said"), [("no-such-host.invalid", "Name or service not known"), ("127.0.0.1", "Connection refused")]
)
def test_a_server_that_is_not_there_may_come(host, said):
    with pytest.raises(RetryableError, match=said):
        NatsConnection(host=host, port=1).reach(HOME)


def test_the_next_server_of_a_cluster_is_tried(nats):
    assert NatsConnection(url=Secret(f"nats://127.0.0.1:1,{nats.url}")).reach(HOME).server.startswith("NATS")


def test_a_file_of_credentials_lets_in_whom_it_is_about(tmp_path):
    realm, other = Realm(), Realm()
    server = NatsServer(config=realm.config, jetstream=False).start()
    (tmp_path / "ours.creds").write_text(realm.credentials)
    (tmp_path / "others.creds").write_text(other.credentials)
    (tmp_path / "none.creds").write_text("nothing of the kind")
    to_it = {"host": "127.0.0.1", "port": server.port}
    try:
        assert NatsConnection(**to_it, credentials="ours.creds").reach(tmp_path).server.startswith("NATS")
        with pytest.raises(NonRetryableError, match="Authorization Violation"):
            NatsConnection(**to_it, credentials="others.creds").reach(tmp_path)
        with pytest.raises(NonRetryableError, match="holds no credentials of a NATS user"):
            NatsConnection(**to_it, credentials="none.creds").reach(tmp_path)
        with pytest.raises(NonRetryableError, match="the file for `credentials` cannot be read"):
            NatsConnection(**to_it, credentials="missing.creds").reach(tmp_path)
    finally:
        server.remove()


def test_a_token_lets_in_by_address_and_by_parts(tmp_path):
    server = NatsServer(config="authorization { token: geheim }", jetstream=False).start()
    try:
        assert NatsConnection(url=Secret(f"nats://geheim@127.0.0.1:{server.port}")).reach(HOME).server.startswith("NATS")
        assert NatsConnection(host="127.0.0.1", port=server.port, token=Secret("geheim")).reach(HOME).server.startswith("NATS")
        with pytest.raises(NonRetryableError, match="Authorization Violation"):
            NatsConnection(host="127.0.0.1", port=server.port, token=Secret("other")).reach(HOME)
    finally:
        server.remove()


# Reading -------------------------------------------------------------------------------------------------------------


def test_a_stream_that_is_not_there_is_told_with_those_that_are(nats):
    a_stream(nats, "ORDERS")
    with pytest.raises(NonRetryableError, match="has no stream `ORDER`") as caught:
        NatsSource(url=Secret(nats.url), stream="ORDER", format=UNREAD).feed(HOME, ALONE, {})
    assert "did you mean `ORDERS`?" in str(caught.value)


def test_a_server_without_jetstream_says_so():
    server = NatsServer(jetstream=False).start()
    try:
        with pytest.raises(NonRetryableError, match="the server has no JetStream") as caught:
            NatsSource(url=Secret(server.url), stream="ORDERS", format=UNREAD).feed(HOME, ALONE, {})
    finally:
        server.remove()
    assert "start it with `-js`" in str(caught.value)


def test_what_limits_dropped_unread_is_not_passed_over(nats):
    a_stream(nats, "SHORT", max_msgs=3)
    sent(nats, "SHORT", *"abcdefg")
    with pytest.raises(NonRetryableError, match="has dropped messages 2 to 4, which were not read yet"):
        texts(nats, "SHORT", 3, {"SHORT": Position("1")})
    assert texts(nats, "SHORT", 3, {"SHORT": Position("4")}) == [b"e", b"f", b"g"]


def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one(nats):
    a_stream(nats, "ANEW")
    with pytest.raises(NonRetryableError, match="it was made anew"):
        texts(nats, "ANEW", 0, {"ANEW": Position("17")})


def test_only_the_subjects_asked_for_come_and_the_subject_is_the_key(nats):
    a_stream(nats, "PARTS")
    for subject, text in (("PARTS.a", "1"), ("PARTS.b", "2"), ("PARTS.a", "3")):
        outlet = NatsSink(url=Secret(nats.url), subject=subject, format=LINES).outlet(HOME, "p", TEXT)
        outlet.commit(1, rows(text))
        outlet.close()
    feed = NatsSource(url=Secret(nats.url), stream="PARTS", subjects=["PARTS.a"], format=UNREAD).feed(HOME, ALONE, {})
    got = fetch(feed, 2, quiet=True)
    feed.close()
    assert got.payloads == {"PARTS.a": [b"1", b"3"]}
    assert got.facts["PARTS.a"]["key_bytes"] == [b"PARTS.a", b"PARTS.a"]


def test_a_consumer_of_another_kind_is_not_taken(nats):
    a_stream(nats, "TAKEN")
    config = {"durable_name": "theirs", "ack_policy": "all"}
    ask(nats, "$JS.API.CONSUMER.CREATE.TAKEN.theirs", stream_name="TAKEN", config=config)
    with pytest.raises(NonRetryableError, match="the consumer `theirs` is there and does not acknowledge each message"):
        NatsSource(url=Secret(nats.url), stream="TAKEN", consumer="theirs", format=UNREAD).feed(HOME, ALONE, {})


def test_a_consumer_that_the_server_forgot_is_made_anew(nats):
    """Servers forget those that are not durable when they are started anew, and others may delete them."""
    a_stream(nats, "FORGOT")
    feed = NatsSource(url=Secret(nats.url), stream="FORGOT", format=UNREAD).feed(HOME, ALONE, {})
    sent(nats, "FORGOT", "a")
    got = fetch(feed, 1)
    for name in ask(nats, "$JS.API.CONSUMER.NAMES.FORGOT")["consumers"]:
        ask(nats, f"$JS.API.CONSUMER.DELETE.FORGOT.{name}")
    with pytest.raises(RetryableError, match="any more"):
        feed.lag()
    sent(nats, "FORGOT", "b", epoch=2)
    assert fetch(feed, 2, got).payloads == {"FORGOT": [b"a", b"b"]}
    assert feed.lag() == {"FORGOT": 0}
    feed.close()


def test_a_work_queue_without_a_consumer_is_explained(nats):
    a_stream(nats, "WORK", retention="workqueue")
    with pytest.raises(NonRetryableError, match="is a work queue"):
        NatsSource(url=Secret(nats.url), stream="WORK", format=UNREAD).feed(HOME, ALONE, {})


# Writing -------------------------------------------------------------------------------------------------------------


def test_what_is_sent_again_counts_once_and_equal_rows_count_each(nats):
    a_stream(nats, "OUT")
    assert sent(nats, "OUT", "same", "same", "other").inserted == 3
    again = sent(nats, "OUT", "same", "same", "other")
    assert (again.inserted, again.unchanged) == (0, 3)
    assert sent(nats, "OUT", "same", epoch=2).inserted == 1
    assert texts(nats, "OUT", 4) == [b"same", b"same", b"other", b"same"]


def test_an_epoch_that_comes_again_with_other_rows_loses_none(nats):
    """Where an epoch ended may differ when it is done again, so its number and a row's say nothing of what the row is."""
    a_stream(nats, "OTHER")
    sent(nats, "OTHER", "a", "b")
    assert sent(nats, "OTHER", "a", "c").inserted == 1
    assert texts(nats, "OTHER", 3) == [b"a", b"b", b"c"]


def test_a_subject_that_no_stream_takes_is_told(nats):
    with pytest.raises(NonRetryableError, match="no stream takes this subject"):
        sent(nats, "NOWHERE", "a")


def test_a_full_stream_refuses_until_there_is_room(nats):
    a_stream(nats, "FULL", max_msgs=2, discard="new")
    with pytest.raises(RetryableError, match="maximum messages exceeded"):
        sent(nats, "FULL", "a", "b", "c")
    ask(nats, "$JS.API.STREAM.PURGE.FULL")
    assert json.dumps(sent(nats, "FULL", "d").inserted) == "1"


# Headers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (b"a: 1\r\nb: x: y", [("a", b"1"), ("b", b"x: y")]),
        (b"a:1", [("a", b"1")]),
        (b"a:  1 ", [("a", b"1")]),
        (b"a:1\r\nb: 2", [("a", b"1"), ("b", b"2")]),
        (b"a: \xff", [("a", b"\xff")]),
        (b"a: ", [("a", b"")]),
    ],
)
def test_headers_are_read_however_they_are_spaced(block, found):
    """Alone and among others: what most clients write is read at once, and anything else line by line."""
    written, plain = b"NATS/1.0\r\n" + block + b"\r\n\r\n", b"NATS/1.0\r\nk: v\r\n\r\n"
    for blocks, expected in (([written], [found]), ([plain, None, written], [[("k", b"v")], [], found])):
        told = deliveries_of(blocks).messages("p").headers.to_pylist()
        assert [one or [] for one in told] == expected


def deliveries_of(blocks: list[bytes | None]) -> Deliveries:
    found = Deliveries()
    for block in blocks:
        found.subjects.append(b"s")
        found.replies.append(b"$JS.ACK.S.C.1.7.7.1700000000000000000.0")
        found.headers.append(block)
        found.payloads.append(b"")
    return found


# Memory --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [{}, {"consumer": "workers"}])
def test_large_messages_come_some_at_a_time(nats, monkeypatch, by):
    monkeypatch.setattr(gathering, "MOST_BYTES", 10_000)
    lengths = [*[3_000] * 12, 20_000, *[3_000] * 12, 20_000]  # two are larger than what may come at once
    name = a_stream(nats, f"LARGE{len(by)}")
    written = [f"{n:05}".ljust(length, "x") for n, length in enumerate(lengths)]
    sent(nats, name, *written)
    feed = NatsSource(url=Secret(nats.url), stream=name, format=UNREAD, **by).feed(HOME, ALONE, {})
    got, sizes = [], []
    while len(got) < len(lengths):
        for messages in feed.poll(1000, 5.0):
            got += [payload.as_py() for payload in messages.payloads]
            sizes.append(sum(len(payload) for payload in messages.payloads.to_pylist()))
            feed.acknowledge({messages.partition: messages.last})
    feed.close()
    assert [text.decode() for text in got] == written
    assert max(sizes) <= 3 * 10_000, sizes


@pytest.mark.parametrize("by", [{}, {"consumer": "workers"}])
def test_pulls_that_bring_all_that_was_asked_for_follow_each_other(nats, by):
    name = a_stream(nats, f"FILLED{len(by)}")
    written = [f"{n:05}" for n in range(95)]
    sent(nats, name, *written)
    assert texts(nats, name, 95, fetch=10, **by) == [text.encode() for text in written]
