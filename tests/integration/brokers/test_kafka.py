"""What users see of topics of Kafka, by Tansu, which speaks its protocol: what is told when something is wrong, and what a sink leaves."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import ValidationError
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.tansu_server import TansuServer
from tests.unit.infrastructure.brokers.json_stand_in import JsonStandIn

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Fence, Position
from headrace.business.streams.messages import Feed, Messages, Sharing
from headrace.business.streams.state import StreamSink
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.kafka.connection import KafkaConnection
from headrace.infrastructure.brokers.kafka.faults import explained
from headrace.infrastructure.brokers.kafka.sink import KafkaOutlet, KafkaSink
from headrace.infrastructure.brokers.kafka.source import KafkaSource
from headrace.security.secrets import Secret

ALONE = Sharing("test")
SCHEMA = Schema.of(id=Integer(), name=String())
SILENT = logging.getLogger("librdkafka")


def create(tansu: TansuServer, *topics: str, partitions: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": tansu.servers, "logger": SILENT})
    for made in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
        made.result(60)


def feed(tansu: TansuServer, after: dict[str, str] | None = None, sharing: Sharing = ALONE, **options: Any) -> Feed:
    source = KafkaSource.model_validate({"servers": tansu.servers, "format": UNREAD, **options})
    return source.feed(Path(), sharing, {name: Position(position) for name, position in (after or {}).items()})


def read(feed: Feed, count: int) -> Sequence[Messages]:
    got: list[Messages] = []
    while sum(map(len, got)) < count:
        got += feed.poll(1000, 30.0)
    feed.close()
    return got


def sink(tansu: TansuServer, topic: str, **options: Any) -> KafkaSink:
    return KafkaSink.model_validate({"servers": tansu.servers, "topic": topic, "format": JsonStandIn(), **options})


def outlet(tansu: TansuServer, topic: str, **options: Any) -> KafkaOutlet:
    opened = sink(tansu, topic, **options).outlet(Path(), "orders", SCHEMA)
    assert isinstance(opened, KafkaOutlet)
    return opened


def rows(*ids: int) -> pa.Table:
    return pa.table({"name": [f"n{i}" for i in ids], "id": pa.array(ids, pa.int64())})


def test_a_topic_that_is_not_there_is_told(tansu: TansuServer) -> None:
    with pytest.raises(NonRetryableError, match="there is no topic `nowhere`") as told:
        feed(tansu, topic="nowhere")
    assert "create it" in str(told.value)


def test_marks_of_transactions_are_no_messages_that_wait(tansu: TansuServer) -> None:
    create(tansu, "paid")
    producer = Producer({"bootstrap.servers": tansu.servers, "transactional.id": "till", "logger": SILENT})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("paid", b"once")
    producer.commit_transaction(60)
    opened = feed(tansu, topic="paid")
    got, looked = sum(map(len, opened.poll(10, 30.0))), 0
    while opened.lag() != {"paid/0": 0} and (looked := looked + 1) < 100:
        got += sum(map(len, opened.poll(10, 0.1)))
    assert (got, opened.lag()) == (1, {"paid/0": 0}), "its partition would never be idle"
    opened.close()


def test_what_is_no_offset_is_told(tansu: TansuServer) -> None:
    create(tansu, "told")
    with pytest.raises(NonRetryableError, match="`1-0` is no position in partition 0 of the topic `told`"):
        feed(tansu, {"told/0": "1-0"}, topic="told")


def test_several_topics_and_patterns_are_read_together_and_shared_out(tansu: TansuServer) -> None:
    create(tansu, "many-a", "many-b", "many-c", "other-d", partitions=2)
    named = feed(tansu, topic=["many-b", "other-d"])
    assert sorted(named.partitions()) == ["many-b/0", "many-b/1", "other-d/0", "other-d/1"]
    matched = feed(tansu, topic="^many-[ab]")
    assert sorted(matched.partitions()) == ["many-a/0", "many-a/1", "many-b/0", "many-b/1"]
    parts = [feed(tansu, sharing=Sharing("test", member, 2), topic=["many-b", "other-d"]) for member in (0, 1)]
    shares = [set(part.partitions()) for part in parts]
    assert (len(shares[0]), len(shares[1]), len(shares[0] | shares[1])) == (2, 2, 4)
    for one in (named, matched, *parts):
        one.close()


def test_offsets_are_committed_to_the_group_that_is_named_and_never_read_from_it(tansu: TansuServer) -> None:
    create(tansu, "watched")
    producer = Producer({"bootstrap.servers": tansu.servers, "logger": SILENT})
    for number in range(4):
        producer.produce("watched", f"{number}")
        producer.flush(60)
    opened = feed(tansu, topic="watched", group="seen")
    opened.poll(4, 30.0)
    opened.acknowledge({"watched/0": Position("1")})
    opened.acknowledge({"watched/0": Position("0")})
    opened.close()
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    admin = AdminClient({"bootstrap.servers": tansu.servers, "logger": SILENT})
    asked = ConsumerGroupTopicPartitions("seen", [TopicPartition("watched", 0)])
    told = admin.list_consumer_group_offsets([asked])["seen"].result(60)
    assert [partition.offset for partition in told.topic_partitions] == [2]
    assert sum(map(len, read(feed(tansu, topic="watched", group="seen"), 4))) == 4


@pytest.mark.parametrize(
    ("servers", "said"), [("127.0.0.1:1", "see that the broker runs"), ("nowhere.invalid:9092", "are spelt right")]
)
def test_brokers_that_are_away_are_told_and_tried_again(servers: str, said: str) -> None:
    connection = KafkaConnection(servers=servers, connect_seconds=1)
    with pytest.raises(RetryableError, match=said):
        connection.reach(Path())


def test_a_user_that_the_brokers_do_not_know_is_told_without_the_password() -> None:
    server = TansuServer(authentication=True).start()
    try:
        connection = KafkaConnection(servers=server.servers, user="nobody", password=Secret("sesame"), connect_seconds=60)
        with pytest.raises(NonRetryableError, match="see that `user`, `password` and `mechanism`") as told:
            connection.reach(Path())
        assert "sesame" not in str(told.value)
    finally:
        server.remove()


def test_a_connection_says_whom_it_reached(tansu: TansuServer) -> None:
    answer = KafkaConnection(servers=tansu.servers).reach(Path())
    assert answer.server == "Kafka protocol, 1 broker"
    assert (answer.user, answer.tls) == (None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"servers": "host"}, "pattern"),
        ({"servers": "h:1", "user": "u"}, "belong together"),
        ({"servers": "h:1", "mechanism": "PLAIN"}, "proves a `user`"),
        ({"servers": "h:1", "user": "u", "password": Secret("p"), "mechanism": "PLAIN"}, "shows the password"),
        ({"servers": "h:1", "tls": "prefer"}, "speaks TLS or does not"),
    ],
)
def test_wrong_options_of_a_connection_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        KafkaConnection.model_validate(options)


def test_a_user_and_tls_reach_the_client_and_the_password_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    connection = KafkaConnection(servers="h:1", user="u", password=Secret("sesame"), ca="ca.pem")
    settings = connection.settings(tmp_path, [])
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["sasl.mechanism"] == "SCRAM-SHA-512"
    assert settings["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert settings["enable.ssl.certificate.verification"] is True
    assert "sesame" not in repr(connection) + connection.shown()


def test_the_reason_that_was_told_beside_a_vague_error_is_the_one_that_counts() -> None:
    vague = KafkaError(KafkaError._TRANSPORT, "Failed to get metadata")
    told = [KafkaError(KafkaError._AUTHENTICATION, "wrong password"), KafkaError(KafkaError._ALL_BROKERS_DOWN, "down")]
    error = explained("kafka://h:1", vague, told)
    assert isinstance(error, NonRetryableError)
    assert "wrong password" in str(error)
    assert isinstance(explained("kafka://h:1", vague), RetryableError)


# The sink ------------------------------------------------------------------------------------------------------------


def test_it_is_a_sink_of_streams_that_says_where_it_goes(tansu: TansuServer) -> None:
    made = sink(tansu, "out", key="nome")
    assert isinstance(made, StreamSink)
    assert made.target(Path()) == f"kafka://{tansu.servers} (out)"
    assert made.stream_guarantee().startswith("at least once: ")
    assert list(made.problems(SCHEMA)) == ["there is no column `nome` for the key; did you mean `name`?"]


def test_the_rows_of_a_checkpoint_are_there_when_it_is_committed(tansu: TansuServer) -> None:
    create(tansu, "out", partitions=2)
    opened = outlet(tansu, "out", key="name")
    assert opened.committed(Fence("db", 1)) is None
    assert opened.commit(1, rows(*range(3000))).inserted == 3000
    assert opened.commit(2, rows()).inserted == 0
    got = read(feed(tansu, topic="out"), 3000)
    opened.close()
    assert sorted(json.loads(p)["id"] for m in got for p in m.payloads.to_pylist()) == list(range(3000))
    assert all(
        json.loads(p)["name"].encode() == k
        for m in got
        for p, k in zip(m.payloads, m.keys, strict=True)
        for p, k in [(p.as_py(), k.as_py())]
    )
    assert {messages.partition for messages in got} == {"out/0", "out/1"}


def test_a_checkpoint_is_delivered_over_a_cut(tansu: TansuServer) -> None:
    create(tansu, "cut")
    opened = outlet(tansu, "cut")
    opened.committed(Fence("db", 1))
    opened.commit(1, rows(1))
    tansu.cut()
    opened.commit(2, rows(2, 3))
    got = [json.loads(p)["id"] for m in read(feed(tansu, topic="cut"), 3) for p in m.payloads.to_pylist()]
    assert list(dict.fromkeys(got)) == [1, 2, 3]
    opened.close()


def test_a_topic_that_is_not_there_for_the_sink_is_told(tansu: TansuServer) -> None:
    with pytest.raises(NonRetryableError, match=r"create it|no such topic"):
        outlet(tansu, "nowhere-to-go").committed(Fence("db", 1))


def test_a_key_and_several_rows_in_a_message_do_not_go_together(tansu: TansuServer) -> None:
    create(tansu, "blocks")
    opened = outlet(tansu, "blocks", key="name", format=JsonStandIn(block=True))
    with pytest.raises(NonRetryableError, match="which has one key"):
        opened.commit(1, rows(1, 2))
    opened.close()
