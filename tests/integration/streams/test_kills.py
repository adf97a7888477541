"""A stream from Redis into PostgreSQL that is killed wherever it may be: every event's effect is there exactly once."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, last_call, publish, wait_until, windows
from tests.integration.valkey_server import ValkeyServer


def counting(folder: Path, broker: str, database: str, stream: str) -> Flow:
    parts = {
        "sources": {
            "events": {
                "redis": {"url": broker, "stream": stream, "field": "payload"},
                "contract": CONTRACT,
                "watermark": {"column": "at", "delay": "2 seconds"},
            }
        },
        "steps": [COUNTED],
        "sinks": [
            {"postgres": {"url": database, "table": "counted", "mode": "append"}},
            {"name": "raw", "from": "events", "postgres": {"url": database, "table": "raw", "mode": "append"}},
        ],
        "stream": "50 ms",
    }
    return Flow(folder, parts).write()


def counted(database: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    rows = _ask(
        database, "SELECT to_char(window_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), key, events, total, highest FROM counted"
    )
    found = {(start, key): (n, int(total), highest) for start, key, n, total, highest in rows}
    assert len(found) == len(rows), "a window was given out twice"
    return found


def ids(database: str) -> list[int]:
    return sorted(row[0] for row in _ask(database, "SELECT id FROM raw"))


def _ask(database: str, query: str) -> list[Any]:
    with psycopg.connect(database) as con:
        try:
            return con.execute(query.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


@pytest.mark.parametrize(
    "points",
    [
        ["stream saved@3", "stream committed postgres@2", "stream committed@4", "stream acknowledged@2"],
        ["stream saved", "stream saved@2", "stream committed postgres", "stream committed raw", "stream committed"],
    ],
)
def test_killed_at_named_points(points: list[str], valkey: ValkeyServer, postgres: str, tmp_path: Path) -> None:
    flow = counting(tmp_path / "flow", valkey.url, postgres, f"named-{len(points)}")
    feed = Feed(valkey.url, f"named-{len(points)}")
    for point in points:
        process = flow.start(point)
        feed.while_it_lives(process)
        assert process.wait() == -signal.SIGKILL, flow.said
    _finish(flow, postgres, feed)


def test_killed_at_any_moment(valkey: ValkeyServer, postgres: str, tmp_path: Path) -> None:
    flow = counting(tmp_path / "flow", valkey.url, postgres, "any")
    feed = Feed(valkey.url, "any")
    chance = random.Random(7)
    for _ in range(6):
        process = flow.start()
        feed.while_it_lives(process, flow)
        feed.for_a_while(chance.uniform(0.1, 1.5))
        process.kill()
        process.wait()
    _finish(flow, postgres, feed)


class Feed:
    """Events that come bit by bit, so that there is always something on the way."""

    def __init__(self, url: str, stream: str) -> None:
        self.url, self.stream = url, stream
        self.made = iter(events(30_000))
        self.sent: list[dict[str, Any]] = []

    def some(self) -> None:
        rows = [row for row, _ in zip(self.made, range(5), strict=False)]
        publish(self.url, self.stream, rows)
        self.sent += rows
        time.sleep(0.03)

    def while_it_lives(self, process: subprocess.Popen[str], flow: Flow | None = None) -> None:
        """Until it has ended, or, with its flow, until it works."""
        deadline = time.monotonic() + 120
        while process.poll() is None and not (flow is not None and "epoch" in flow.said):
            assert time.monotonic() < deadline
            self.some()

    def for_a_while(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.some()


def _finish(flow: Flow, database: str, feed: Feed) -> None:
    """Let it run until all is there, stop it by hand, and compare with what was reckoned by hand."""
    publish(feed.url, feed.stream, [last_call(7200)])
    process = flow.start()
    wait_until(lambda: "epoch" in flow.said and len(ids(database)) > len(feed.sent), "all rows are there", process, flow)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0, flow.said
    assert counted(database) == windows(feed.sent)
    assert ids(database) == sorted([*(row["id"] for row in feed.sent), -1])
