"""A stream that several processes share: whoever is killed, sleeps or comes to help, every event counts once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.integration.streams.flows import Flow, wait_until

TOTAL, PARTITIONS = 24_000, 6


def counting(folder: Path, per_second: int, workers: int = 3) -> Flow:
    fields = {"id": "sequence", "at": "time", "key": {"key": 5}, "value": {"between": [0, 99]}}
    contract = {"columns": {"id": "int64", "at": {"type": "timestamptz", "required": True}, "key": "string", "value": "int64"}}
    parts = {
        "sources": {
            "events": {
                "rate": {"total": TOTAL, "partitions": PARTITIONS, "per_second": per_second, "fields": fields},
                "contract": contract,
                "watermark": "at",
            }
        },
        "steps": [{"name": "counted", "aggregate": {"by": ["key"], "window": {"tumbling": "1 second"}, "measures": {"events": "count(*)"}}}],
        "sinks": [
            {"duckdb": {"path": "out.duckdb", "table": "counted", "mode": "append"}},
            {"name": "raw", "from": "events", "duckdb": {"path": "raw.duckdb", "table": "raw", "mode": "append"}},
        ],
        "stream": {"workers": workers, "checkpoint": "200 ms"},
    }  # fmt: skip
    return Flow(folder, parts).write()


def everything_counts_once(flow: Flow) -> None:
    with duckdb.connect(str(flow.folder / "raw.duckdb"), read_only=True) as con:
        assert con.sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM raw").fetchall()[0] == (
            TOTAL,
            TOTAL,
            0,
            TOTAL - 1,
        )
        expected = con.sql(
            "SELECT time_bucket(INTERVAL '1 second', \"at\"), key, count(*) FROM raw GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    with duckdb.connect(str(flow.folder / "out.duckdb"), read_only=True) as con:
        found = con.sql("SELECT window_start, key, events FROM counted ORDER BY ALL").fetchall()
    assert found == expected


def others(flow: Flow) -> list[str]:
    """The workers of the last sharing out beside the one that leads."""
    told = _log(flow, "SELECT data FROM events WHERE type = 'stream.shared/1' ORDER BY position DESC LIMIT 1")
    return json.loads(told[0])["workers"] if told else []


def has_ended(flow: Flow) -> bool:
    ends = ("completed", "failed", "cancelled")
    return bool(_log(flow, f"SELECT 1 FROM events WHERE type IN {tuple(f'pipeline.{end}/1' for end in ends)}"))


def _log(flow: Flow, query: str) -> list[Any]:
    file = flow.folder / ".headrace" / "headrace.db"
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as con:
        try:
            return [row[0] for row in con.execute(query)]
        except sqlite3.OperationalError:  # it is being made
            return []


def process_of(worker: str) -> int:
    return int(worker.split("/")[1])


def test_workers_are_killed_and_put_to_sleep(tmp_path: Path) -> None:
    flow = counting(tmp_path / "flow", per_second=1500)
    process = flow.start()
    wait_until(lambda: len(others(flow)) == 2, "both workers were there", process, flow)
    killed, asleep = map(process_of, others(flow))
    os.kill(killed, signal.SIGKILL)
    os.kill(asleep, signal.SIGSTOP)
    wait_until(lambda: not {killed, asleep} & {*map(process_of, others(flow))}, "both were given up", process, flow)
    os.kill(asleep, signal.SIGCONT)
    assert process.wait(timeout=120) == 0, flow.said
    everything_counts_once(flow)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=60)


def test_processes_that_serve_share_a_stream_and_take_it_over(tmp_path: Path, workers: list[subprocess.Popen[str]]) -> None:
    flow = counting(tmp_path / "flow", per_second=1500)
    workers += [flow.start("", "worker", "--parallel", "2"), flow.start("", "worker", "--parallel", "2")]
    flow.ask("run", str(flow.file), "--detach")
    wait_until(lambda: len(others(flow)) == 2, "both workers were there")
    first = workers.pop(0)
    first.kill()
    first.wait()
    wait_until(lambda: has_ended(flow), "the stream had ended")
    assert "succeeded" in flow.ask("runs", "list"), flow.ask("runs", "list")
    everything_counts_once(flow)


def test_a_stream_in_service_is_handed_over_by_who_stops(tmp_path: Path, workers: list[subprocess.Popen[str]]) -> None:
    flow = counting(tmp_path / "flow", per_second=2000, workers=1)
    workers.append(flow.start("", "serve", "--parallel", "1"))
    wait_until(lambda: _log(flow, "SELECT 1 FROM events WHERE type = 'pipeline.started/1'"), "the stream was begun")
    serving = workers.pop()
    workers.append(flow.start("", "worker", "--parallel", "1"))
    serving.terminate()
    assert serving.wait(timeout=60) == 0
    wait_until(lambda: has_ended(flow), "the stream had ended")
    assert _log(flow, "SELECT count(*) FROM events WHERE type = 'pipeline.queued/1'") == [1]
    assert "its worker was stopped" in _log(flow, "SELECT data FROM events WHERE type = 'pipeline.waiting/1'")[0]
    everything_counts_once(flow)
