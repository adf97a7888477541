"""Relaying events to a Redis stream: none lost, none in the wrong place of its run, a repeated one found to be there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from tests.integration.valkey_server import ValkeyServer

from headrace import bootstrap
from headrace.bus.bus import EventBus
from headrace.bus.cloudevents import read_cloudevent
from headrace.bus.events import PipelineCompletedEvent, PipelineStartedEvent
from headrace.errors import UsageError
from headrace.infrastructure.storage.delivering import Delivery


@pytest.fixture
def client(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def project(tmp_path: Path, valkey: ValkeyServer) -> Path:
    (tmp_path / "headrace.toml").write_text(f'[[outbox]]\nredis = "{valkey.url}"\nname = "events"\ntypes = ["pipeline.*"]\n')
    delivery(tmp_path).catch_up()
    return tmp_path


def delivery(project: Path) -> Delivery:
    (subscription,) = bootstrap.outbox(project)
    return Delivery(bootstrap.database(project), subscription)


def told(project: Path, *runs: str) -> None:
    bus = EventBus(bootstrap.event_store(project))
    for run in runs:
        bus.record(PipelineStartedEvent(run, pipeline="p"), PipelineCompletedEvent(run, pipeline="p"))


def entries(client: redis.Redis) -> list[tuple[str, str]]:
    return [(entry.decode(), fields[b"id"].decode()) for entry, fields in client.xrange("headrace")]


def test_events_arrive_as_cloudevents_under_their_positions(project: Path, client: redis.Redis) -> None:
    told(project, "a", "b")
    delivery(project).catch_up()
    assert entries(client) == [("1-0", "a/1"), ("2-0", "a/2"), ("3-0", "b/1"), ("4-0", "b/2")]
    found = [read_cloudevent(fields[b"event"]).envelope() for _, fields in client.xrange("headrace")]
    assert found == list(bootstrap.event_store(project).read())


def test_a_repeated_event_is_found_to_be_there(project: Path, client: redis.Redis) -> None:
    told(project, "a", "b")
    delivery(project).catch_up()
    bootstrap.replay_subscription(project, "outbox events")
    delivery(project).catch_up()
    assert entries(client) == [("1-0", "a/1"), ("2-0", "a/2"), ("3-0", "b/1"), ("4-0", "b/2")]


RELAYS = """
import sys
from pathlib import Path
from headrace import bootstrap
from headrace.infrastructure.storage.delivering import Delivery

project = Path(sys.argv[1])
Delivery(bootstrap.database(project), *bootstrap.outbox(project)).catch_up()
"""


def test_a_relay_that_is_killed_between_the_entry_and_its_note_loses_and_doubles_nothing(
    project: Path, client: redis.Redis
) -> None:
    told(project, "a", "b")
    for nth in (1, 3, 0):
        env = {"HEADRACE_FAILPOINTS": f"delivered@{nth}"} if nth else {}
        done = subprocess.run([sys.executable, "-c", RELAYS, str(project)], env=env, check=False)
        assert (done.returncode == 0) == (nth == 0)
    assert [event for _, event in entries(client)] == ["a/1", "a/2", "b/1", "b/2"]


def test_entries_of_others_and_of_other_logs_displace_nothing(project: Path, client: redis.Redis) -> None:
    """A stream that is shared: its newest entry is beyond our positions, and one of another log has the position of ours."""
    client.xadd("headrace", {"id": "a/1", "source": "urn:headrace:other"}, id="1-0")
    client.xadd("headrace", {"of": "others"}, id="1700000000000-5")
    told(project, "a")
    delivery(project).catch_up()
    ours = [(e, f) for e, f in client.xrange("headrace") if b"event" in f]
    assert [(entry, fields[b"id"]) for entry, fields in ours] == [(b"1700000000000-6", b"a/1"), (b"1700000000000-7", b"a/2")]


def test_a_key_that_is_no_stream_is_told_and_its_events_wait_with_the_dead_letters(project: Path, client: redis.Redis) -> None:
    client.set("headrace", "taken")
    told(project, "a")
    store, relay = bootstrap.subscriptions(project), delivery(project)
    clock = [1e9]
    relay.store.wall = lambda: clock[0]
    for _ in range(6):
        relay.catch_up()
        clock[0] += 400
    assert store.dead_letters()[0].error == "the Redis server does not take an entry for stream `headrace`: WRONGTYPE"
    client.delete("headrace")
    store.retry("outbox events")
    relay.catch_up()
    assert [event for _, event in entries(client)] == ["a/1", "a/2"]


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    server = ValkeyServer()
    try:
        server.start()
        (tmp_path / "headrace.toml").write_text(f'[[outbox]]\nredis = "{server.url}"\nname = "events"\n')
        relay, clock = delivery(tmp_path), [1e9]
        relay.store.wall = lambda: clock[0]
        told(tmp_path, "a")
        relay.catch_up()
        told(tmp_path, "b")
        server.stop()
        for _ in range(12):
            clock[0] += 400
            relay.catch_up()
        (standing,) = bootstrap.subscriptions(tmp_path).standing()
        assert (standing.behind, standing.failures, standing.dead_letters) == (2, 12, 0)
        assert standing.error == "the Redis server of stream `headrace` cannot be reached: ConnectionError"
        server.start()
        clock[0] += 400
        relay.catch_up()
        with redis.Redis.from_url(server.url) as client:
            kept = [json.loads(fields[b"event"])["id"] for _, fields in client.xrange("headrace")]
        assert kept[-2:] == ["b/1", "b/2"]
    finally:
        server.remove()


def test_a_type_that_no_event_has_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "headrace.toml").write_text('[[outbox]]\nredis = "redis://localhost"\nname = "x"\ntypes = ["pipline.*"]\n')
    with pytest.raises(UsageError, match=r"outlet `x`: no event is of type `pipline\.\*`"):
        bootstrap.outbox(tmp_path)
