"""A reader that is killed at random moments, on real brokers: nothing is lost, and nothing doubled that has a position."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pika
import pytest
from tests.conformance.brokers.mqtt_under_test import MqttUnderTest
from tests.conformance.brokers.nats_under_test import NatsUnderTest
from tests.faults.reader_that_dies import lines_of
from tests.integration.brokers.lines_format import LINES, TEXT, rows
from tests.integration.mosquitto_server import MosquittoServer
from tests.integration.nats_server import NatsServer
from tests.integration.rabbitmq_server import RabbitMQServer

from headrace.infrastructure.brokers.rabbitmq.sink import RabbitMQSink
from headrace.infrastructure.relay import Relay
from headrace.security.secrets import Secret

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0
KILLS, BATCH = 1, 150


def killed_again_and_again(
    kind: str, options: dict[str, Any], publish: Callable[[Sequence[bytes]], None], file: Path, seed: int
) -> list[str]:
    """Publish before and behind every kill, and give back all that the readers have written down."""
    dice = random.Random(seed)
    command = [sys.executable, str(ROOT / "tests/faults/reader_that_dies.py"), kind, json.dumps(options), str(file)]
    sent = 0
    for kill in range(KILLS + 1):
        publish([f"{n:06}".encode() for n in range(sent, sent + BATCH)])
        sent += BATCH
        due = sent if kill == KILLS else sent - dice.randrange(BATCH)
        with ExitStack() as stack:
            reader = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
            stack.callback(reader.wait)
            stack.callback(reader.send_signal, signal.SIGKILL)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(set(read(file))) < due:
                assert reader.poll() is None, "the reader ended by itself"
                assert time.monotonic() < deadline, f"{due} messages had to come, and {len(set(read(file)))} did"
                time.sleep(dice.random() / 20)
    return read(file)


def read(file: Path) -> list[str]:
    return [payload for line in lines_of(file) for payload in line["payloads"]]


@pytest.mark.parametrize("by", ["sequence", "consumer"])
def test_nats(by: str, tmp_path: Path) -> None:
    server = NatsServer().start()
    try:
        broker = NatsUnderTest(server, by)
        options = {"url": server.url, "stream": broker.stream} | (
            {"consumer": "kit", "ack_seconds": 2} if by == "consumer" else {}
        )
        came = killed_again_and_again(
            "nats", options, lambda payloads: broker.publish(broker.partitions[0], payloads), tmp_path / "read", seed=1
        )
    finally:
        server.remove()
    everything = [f"{n:06}" for n in range((KILLS + 1) * BATCH)]
    assert sorted(set(came)) == everything
    if by == "sequence":
        assert came == everything


def test_mqtt(tmp_path: Path) -> None:
    server = MosquittoServer().start()
    try:
        with Relay("127.0.0.1", server.port) as relay:
            broker = MqttUnderTest(server, relay)
            options = {"url": server.url, "topic": broker.partitions[0], "client_id": broker.partitions[0]}
            came = killed_again_and_again(
                "mqtt", options, lambda payloads: broker.publish(broker.partitions[0], payloads), tmp_path / "read", seed=2
            )
    finally:
        server.remove()
    assert sorted(set(came)) == [f"{n:06}" for n in range((KILLS + 1) * BATCH)]


@pytest.mark.parametrize("by", ["queue", "stream"])
def test_rabbitmq(by: str, rabbitmq_server: RabbitMQServer, tmp_path: Path) -> None:
    name = f"killed-{by}"
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url)) as admin:
        kind = {"queue": "quorum", "stream": "stream"}[by]
        admin.channel().queue_declare(name, durable=True, arguments={"x-queue-type": kind})
    outlet = RabbitMQSink(url=Secret(rabbitmq_server.url), queue=name, format=LINES).outlet(tmp_path, "p", TEXT)
    connection = {"host": "127.0.0.1", "port": rabbitmq_server.port, "stream_port": rabbitmq_server.stream_port}
    options = {"connection": connection, by: name}
    came = killed_again_and_again(
        "rabbitmq", options, lambda payloads: outlet.commit(1, rows(*(p.decode() for p in payloads))), tmp_path / "read", seed=3
    )
    outlet.close()
    assert sorted(set(came)) == [f"{n:06}" for n in range((KILLS + 1) * BATCH)]
    if by == "stream":
        assert came == sorted(came)
