"""Brokers that are cut off or restarted, that deliver twice and out of order, and clocks that are set: nothing is lost, doubled or late for it."""

from __future__ import annotations

import itertools
import json
import signal
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redis
from tests.conformance.brokers.nats_under_test import NatsUnderTest
from tests.integration.nats_server import NatsServer
from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, last_call, publish, wait_until, windows
from tests.integration.streams.test_golden import PIPELINES, a_flow, result
from tests.integration.valkey_server import ValkeyServer

from headrace import bootstrap
from headrace.infrastructure.relay import Relay

SINK = {"sqlite": {"path": "out.sqlite", "table": "counted", "mode": "append"}}


@pytest.fixture
def nats() -> Iterator[NatsServer]:
    server = NatsServer().start()
    yield server
    server.remove()


def counted(flow: Flow) -> dict[tuple[str, str], tuple[int, int, int]]:
    if not (flow.folder / "out.sqlite").exists():
        return {}
    with closing(sqlite3.connect(flow.folder / "out.sqlite", timeout=60)) as con:
        if not con.execute("SELECT 1 FROM sqlite_schema WHERE name = 'counted'").fetchall():
            return {}
        rows = con.execute("SELECT substr(window_start, 12, 8), key, events, total, highest FROM counted").fetchall()
    found = {(start, key): (n, total, highest) for start, key, n, total, highest in rows}
    assert len(found) == len(rows), "a window was given out twice"
    return found


def test_cut_connections_and_a_restarted_broker_lose_and_double_nothing(tmp_path: Path) -> None:
    server = ValkeyServer().start()
    try:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("appendfsync", "always")
        with Relay("127.0.0.1", server.port) as relay:
            source = {"redis": {"url": f"redis://{relay.address}/0", "stream": "events", "field": "payload"}}
            flow = a_stream(tmp_path / "flow", source, "2 seconds")
            process, made = flow.start(), events(1500)
            for number in range(0, len(made), 50):
                publish(server.url, "events", made[number : number + 50])
                if number % 300 == 100:
                    wait_until(lambda: "epoch" in flow.said or process.poll() is not None, "it works", flow=flow)
                    relay.cut()
                if number == 750:
                    server.stop()
                    server.start()
                time.sleep(0.02)
            publish(server.url, "events", [last_call(7200)])
            expected = windows(made)
            wait_until(lambda: len(counted(flow)) >= len(expected) or process.poll() is not None, "all is there", flow=flow)
            if process.poll() is not None:  # the server was away for longer than it is asked again: somebody starts it anew
                process = flow.start()
                wait_until(lambda: len(counted(flow)) >= len(expected), "all is there", process, flow)
            stop(process, flow)
            assert counted(flow) == expected
    finally:
        server.remove()


def test_messages_that_come_twice_and_out_of_order_count_once_and_what_is_not_taken_is_kept(
    nats: NatsServer, tmp_path: Path
) -> None:
    broker = NatsUnderTest(nats, "consumer")
    source = {"nats": {"url": nats.url, "stream": broker.stream, "consumer": "kit", "ack_seconds": 2}}
    flow = a_stream(tmp_path / "flow", source, "10 minutes", [{"dedupe": {"key": "id", "within": "10 minutes"}}])
    made = events(300)
    invalid = [{**row, "id": row["id"] + 1000, "value": -5} for row in made[::60]]
    unreadable = [f"this is no event {number}" for number in range(3)]
    shuffled = [row for block in range(0, 300, 30) for row in reversed(made[block : block + 30])]
    written = [json.dumps(row) for row in itertools.chain(shuffled[:100], invalid, shuffled[100:], made[50:250:2])]
    broker.publish("kit", [text.encode() for text in (*written[:40], *unreadable, *written[40:])])

    die_at("stream saved", flow)
    assert acknowledged(broker) == 0, "nothing counts yet, also what was dropped"
    die_at("stream committed", flow)
    assert acknowledged(broker) == 0
    process = flow.start()
    wait_until(lambda: "epoch" in flow.said and waiting(broker) == 0, "all is acknowledged", process, flow)
    broker.publish("kit", [json.dumps(last_call(7200)).encode()])
    expected = windows(made)
    wait_until(lambda: len(counted(flow)) >= len(expected), "windows are closed", process, flow)
    stop(process, flow)
    assert counted(flow) == expected
    letters = json.loads(flow.ask("dead-letters", "show", "counted", "--json"))
    assert {letter["payload"] for letter in letters} == set(unreadable)
    with duckdb.connect() as con:
        held = con.sql(f"SELECT raw->>'id' FROM '{flow.folder}/.headrace/quarantine/counted/events/*/*.parquet'").fetchall()
    assert {int(row[0]) for row in held} == {row["id"] for row in invalid}


def test_a_clock_that_is_set_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = PIPELINES["tumbling"]
    plain = a_flow(tmp_path / "plain", steps)
    bootstrap.run(bootstrap.load(plain.file))
    real, turns = time.time, itertools.cycle([0.0, 3600.0, -3600.0, 60.0])
    monkeypatch.setattr(time, "time", lambda: real() + next(turns))
    stepped = a_flow(tmp_path / "stepped", steps, rows=97, checkpoint="20 ms")
    bootstrap.run(bootstrap.load(stepped.file))
    assert result(stepped.folder / "out.duckdb") == result(plain.folder / "out.duckdb")


def a_stream(folder: Path, source: Mapping[str, Any], delay: str, steps: list[dict[str, Any]] | None = None) -> Flow:
    read = {"contract": CONTRACT, "watermark": {"column": "at", "delay": delay}, **source}
    return Flow(
        folder, {"sources": {"events": read}, "steps": [*(steps or ()), COUNTED], "sinks": [SINK], "stream": "50 ms"}
    ).write()


def die_at(point: str, flow: Flow) -> None:
    process = flow.start(point)
    assert process.wait(timeout=120) == -signal.SIGKILL, flow.said


def stop(process: Any, flow: Flow) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said


def acknowledged(broker: NatsUnderTest) -> int:
    return int(_told(broker)["ack_floor"]["stream_seq"])


def waiting(broker: NatsUnderTest) -> int:
    told = _told(broker)
    return int(told["num_pending"] + told["num_ack_pending"])


def _told(broker: NatsUnderTest) -> Any:
    return broker.ask(f"$JS.API.CONSUMER.INFO.{broker.stream}.kit")
