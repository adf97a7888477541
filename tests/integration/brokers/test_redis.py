"""What users see of streams of Redis: what an entry becomes, what is told when something is wrong, and what a checkpoint leaves there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis
from pydantic import ValidationError
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.valkey_server import ValkeyServer
from tests.unit.infrastructure.brokers.json_stand_in import JsonStandIn

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Fence, Position
from headrace.business.streams.messages import Feed, Messages, Sharing
from headrace.business.streams.state import Outlet, StreamSink
from headrace.errors import LeaseLost, NonRetryableError, RetryableError
from headrace.infrastructure.brokers.redis.sink import RedisSink
from headrace.infrastructure.brokers.redis.source import RedisSource
from headrace.infrastructure.redis.connection import RedisConnection
from headrace.security.secrets import Secret

ALONE = Sharing("test")
SCHEMA = Schema.of(id=Integer(), name=String())


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.config_set("requirepass", "")
        yield client


def feed(url: str, after: str | None = None, **options: Any) -> Feed:
    source = RedisSource.model_validate({"url": Secret(url), "stream": "s", "format": UNREAD, **options})
    return source.feed(Path(), ALONE, {} if after is None else {"s": Position(after)})


def read(feed: Feed) -> Messages:
    (messages,) = feed.poll(1000, 30.0)
    feed.close()
    return messages


def test_an_entry_is_a_json_object_of_its_fields_unless_one_is_named(valkey: ValkeyServer, client: redis.Redis) -> None:
    client.xadd("s", {"id": "7", "name": "ü", "raw": b"\xff"}, id="1700000000123-5")
    messages = read(feed(valkey.url))
    assert json.loads(messages.payloads[0].as_py()) == {"id": "7", "name": "ü", "raw": "\udcff"}
    assert messages.positions.to_pylist() == ["1700000000123-5"]
    assert messages.published_at.to_pylist() == [datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)]
    named = read(feed(valkey.url, field="raw"))
    assert named.payloads.to_pylist() == [b"\xff"]
    assert named.headers.to_pylist() == [[("id", b"7"), ("name", "ü".encode())]]


def test_ids_that_are_no_times_are_read(valkey: ValkeyServer, client: redis.Redis) -> None:
    for entry in ("1-1", "1-2", f"{2**63}-0"):
        client.xadd("s", {"f": entry}, id=entry)
    messages = read(feed(valkey.url, field="f"))
    assert messages.payloads.to_pylist() == [b"1-1", b"1-2", f"{2**63}-0".encode()]
    assert messages.published_at.to_pylist()[2] is None
    assert read(feed(valkey.url, after="1-1", field="f")).payloads.to_pylist() == messages.payloads.to_pylist()[1:]


def test_entries_that_were_trimmed_away_unread_are_told(valkey: ValkeyServer, client: redis.Redis) -> None:
    ids = [client.xadd("s", {"f": str(n)}).decode() for n in range(10)]
    client.xtrim("s", minid=ids[6], approximate=False)
    with pytest.raises(NonRetryableError, match="may have been trimmed away unread") as told:
        feed(valkey.url, after=ids[2])
    assert "on_gap: continue" in str(told.value)
    lenient = read(feed(valkey.url, after=ids[2], on_gap="continue", field="f"))
    assert lenient.payloads.to_pylist() == [b"6", b"7", b"8", b"9"]
    assert len(read(feed(valkey.url, after=ids[6]))) == 3
    client.xtrim("s", maxlen=0, approximate=False)
    assert feed(valkey.url, after=ids[9]).lag() == {"s": 0}


def test_a_group_shows_others_how_far_it_is(valkey: ValkeyServer, client: redis.Redis) -> None:
    ids = [client.xadd("s", {"f": str(n)}).decode() for n in range(4)]
    opened = feed(valkey.url, group="headrace")
    opened.poll(2, 30.0)
    opened.acknowledge({"s": Position(ids[1])})
    assert client.xinfo_groups("s")[0]["last-delivered-id"].decode() == ids[1]
    assert opened.lag() == {"s": 2}
    opened.close()


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("redis://127.0.0.1:1/0", RetryableError, "see that the server runs"),
        ("redis://nowhere.invalid:6379/0", RetryableError, "spelt right"),
        ("http://127.0.0.1:1", NonRetryableError, "write it as redis://"),
        ("redis://127.0.0.1:{port}/99", NonRetryableError, "how many databases"),
        ("redis://nobody:hush@127.0.0.1:{port}/0", NonRetryableError, "user and password"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_password(
    valkey: ValkeyServer, client: redis.Redis, url: str, kind: type[Exception], said: str
) -> None:
    connection = RedisConnection(url=Secret(url.format(port=valkey.port)), connect_seconds=5)
    for attempt in (lambda: feed(url.format(port=valkey.port)), lambda: connection.reach(Path())):
        with pytest.raises(kind, match=said) as told:
            attempt()
        assert "hush" not in str(told.value)


def test_a_key_of_another_type_is_told(valkey: ValkeyServer, client: redis.Redis) -> None:
    client.set("s", "text")
    with pytest.raises(NonRetryableError, match="holds a stream"):
        feed(valkey.url)
    with pytest.raises(NonRetryableError, match="holds a string and no stream"):
        outlet(valkey).committed(Fence("db", 1))


def test_a_password_that_is_wanted_is_told_and_one_that_is_right_goes_in(valkey: ValkeyServer, client: redis.Redis) -> None:
    client.config_set("requirepass", "sesame")
    try:
        with pytest.raises(NonRetryableError, match="wants a password"):
            feed(valkey.url)
        connection = RedisConnection(host="127.0.0.1", port=valkey.port, password=Secret("sesame"))
        answer = connection.reach(Path())
        assert answer.server.startswith("Valkey ")
        assert (answer.user, answer.tls, answer.notes) == ("default", None, ())
        assert "sesame" not in repr(connection) + connection.shown()
    finally:
        client.config_set("requirepass", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give `host`"),
        ({"url": "redis://h", "port": 1}, "not `url` and `port`"),
        ({"host": "h", "tls": "prefer"}, "speaks TLS or does not"),
    ],
)
def test_wrong_options_of_a_connection_are_told(options: dict[str, Any], said: str) -> None:
    if "url" in options:
        options = {**options, "url": Secret(options["url"])}
    with pytest.raises(ValidationError, match=said):
        RedisConnection.model_validate(options)


# The sink ------------------------------------------------------------------------------------------------------------


def sink(valkey: ValkeyServer, **options: Any) -> RedisSink:
    return RedisSink.model_validate({"url": Secret(valkey.url), "stream": "s", "format": JsonStandIn(), **options})


def outlet(valkey: ValkeyServer, stream: str = "orders", **options: Any) -> Outlet:
    return sink(valkey, **options).outlet(Path(), stream, SCHEMA)


def rows(*ids: int) -> pa.Table:
    return pa.table({"name": [f"n{i}" for i in ids], "id": pa.array(ids, pa.int64())})


def there(client: redis.Redis) -> list[dict[str, Any]]:
    return [json.loads(fields[b"message"]) for _, fields in client.xrange("s")]


def test_it_is_a_sink_of_streams_that_says_where_it_goes(valkey: ValkeyServer) -> None:
    made = sink(valkey)
    assert isinstance(made, StreamSink)
    assert made.target(Path()) == f"redis://127.0.0.1:{valkey.port}/0 (s)"
    assert made.stream_guarantee().startswith("exactly once: ")


def test_a_checkpoint_counts_once_whoever_brings_it_again(valkey: ValkeyServer, client: redis.Redis) -> None:
    first = outlet(valkey)
    assert first.committed(Fence("db", 1)) == 0
    assert first.commit(1, rows(1, 2)).inserted == 2
    assert first.commit(1, rows(1, 2)).already
    other = outlet(valkey)
    assert other.committed(Fence("db", 2)) == 1
    assert other.commit(1, rows(1, 2)).already
    assert not other.commit(2, rows(3)).already
    with pytest.raises(LeaseLost, match="took `orders` over"):
        first.commit(3, rows(4))
    assert there(client) == [{"id": 1, "name": "n1"}, {"id": 2, "name": "n2"}, {"id": 3, "name": "n3"}]
    assert outlet(valkey, "another").committed(Fence("db", 1)) == 0


def test_a_checkpoint_that_is_overtaken_between_reading_and_writing_is_added_once(
    valkey: ValkeyServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = outlet(valkey), outlet(valkey)
    for one in (slow, fast):
        one.committed(Fence("db", 1))
    overtaken = iter([fast])
    multi = redis.client.Pipeline.multi

    def late(pipe: Any) -> None:
        if (one := next(overtaken, None)) is not None:
            one.commit(1, rows(1))
        multi(pipe)

    monkeypatch.setattr(redis.client.Pipeline, "multi", late)
    assert slow.commit(1, rows(1)).already
    assert there(client) == [{"id": 1, "name": "n1"}]


def test_the_oldest_entries_go_when_a_length_is_given(valkey: ValkeyServer, client: redis.Redis) -> None:
    bounded = outlet(valkey, max_length=100)
    bounded.committed(Fence("db", 1))
    bounded.commit(1, rows(*range(2000)))
    assert 100 <= client.xlen("s") < 400
    assert there(client)[-1]["id"] == 1999


def test_what_a_sink_writes_a_source_reads(valkey: ValkeyServer, client: redis.Redis) -> None:
    written = outlet(valkey)
    written.committed(Fence("db", 1))
    written.commit(1, rows(1, 2))
    messages = read(feed(valkey.url, field="message"))
    assert [json.loads(payload)["id"] for payload in messages.payloads.to_pylist()] == [1, 2]
