"""A stream from Redis into PostgreSQL that is killed wherever it may be: every event's effect is there exactly once."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, last_call, publish, wait_until, windows
from tests.integration.valkey_server import ValkeyServer


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer().start()
    yield server
    server.remove()


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
        ["stream saved@3", "stream committed counted@2", "stream committed@4", "stream acknowledged@2"],
        ["stream saved", "stream saved@2", "stream committed postgres", "stream committed raw", "stream committed"],
    ],
)
def test_killed_at_named_points(points: list[str], valkey: ValkeyServer, postgres: str, tmp_path: Path) -> None:
    flow = counting(tmp_path / "flow", valkey.url, postgres, f"named-{len(points)}")
    made = events(3000)
    feeding = threading.Thread(target=_feed, args=(valkey.url, f"named-{len(points)}", made))
    feeding.start()
    for point in points:
        process = flow.start(point)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
    feeding.join()
    _finish(flow, postgres, len(made) + 1)
    assert counted(postgres) == windows(made)
    assert ids(postgres) == sorted([*(row["id"] for row in made), -1])


def test_killed_at_any_moment(valkey: ValkeyServer, postgres: str, tmp_path: Path) -> None:
    flow = counting(tmp_path / "flow", valkey.url, postgres, "any")
    made = events(4000)
    feeding = threading.Thread(target=_feed, args=(valkey.url, "any", made))
    feeding.start()
    for number in range(6):
        process = flow.start()
        threading.Event().wait(1.0 + 0.37 * number)
        process.kill()
        process.wait()
    feeding.join()
    _finish(flow, postgres, len(made) + 1)
    assert counted(postgres) == windows(made)
    assert ids(postgres) == sorted([*(row["id"] for row in made), -1])


def _feed(url: str, stream: str, made: list[Any]) -> None:
    """Bit by bit, so that there is always something on the way."""
    for i in range(0, len(made), 40):
        publish(url, stream, made[i : i + 40])
        threading.Event().wait(0.05)
    publish(url, stream, [last_call(3600)])


def _finish(flow: Flow, database: str, rows: int) -> None:
    """Let it run until all is there, and stop it by hand."""
    process = flow.start()
    wait_until(lambda: len(ids(database)) >= rows, "all rows are there", process, flow)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0, flow.said
