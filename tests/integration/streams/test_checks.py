"""Checks of a stream judge windows of event time, also those without rows, and stop it before anything of them counts."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.integration.streams.flows import Flow, wait_until

PARTS: dict[str, Any] = {
    "sources": {
        "readings": {
            "tail": {"path": "events.log", "format": "json"},
            "contract": {"columns": {"device": "string", "value": "int64", "at": {"type": "timestamptz", "required": True}}},
            "watermark": "at",
        }
    },
    "sinks": [{"sqlite": {"path": "out.sqlite", "table": "readings", "mode": "append"}}],
    "stream": {"checkpoint": "50 ms"},
}


def reading(second: int, device: str = "a", value: int = 1) -> str:
    return json.dumps({"device": device, "value": value, "at": f"2024-01-01T00:{second // 60:02d}:{second % 60:02d}Z"})


def add(folder: Path, *rows: str) -> None:
    with (folder / "events.log").open("a") as file:
        file.writelines(f"{row}\n" for row in rows)


def verdicts(flow: Flow) -> list[tuple[str, str, str]]:
    """Check, start of the window, and outcome of each verdict that was told."""
    found = [json.loads(line)["data"] for line in flow.ask("events", "export").splitlines() if "quality.checked" in line]
    return [(event["check"], event["values"]["window_start"][14:19], event["outcome"]) for event in found]


def written(flow: Flow) -> int:
    if not (flow.folder / "out.sqlite").exists():
        return 0
    with closing(sqlite3.connect(flow.folder / "out.sqlite", timeout=30)) as con:
        there = con.execute("SELECT count(*) FROM sqlite_master WHERE name = 'readings'").fetchone()[0]
        return int(con.execute("SELECT count(*) FROM readings").fetchone()[0]) if there else 0


def test_each_window_is_judged_once_and_a_blocking_check_stops_the_stream(tmp_path: Path) -> None:
    checks = [
        {"name": "enough", "row_count": {"min": 1, "per": "10 seconds", "on_fail": "warn"}},
        {"name": "b_speaks", "row_count": {"min": 1, "where": "device = 'b'", "per": "20 seconds", "on_fail": "warn"}},
        {"name": "small", "max": {"column": "value", "at_most": 9, "per": "10 seconds"}},
    ]
    flow = Flow(tmp_path, {**PARTS, "checks": checks}).write()
    add(tmp_path, reading(1, "b"), reading(11), reading(35), reading(41, "b"))
    process = flow.start()
    wait_until(lambda: written(flow) == 4, "all is there", process, flow)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said
    first = [v for v in verdicts(flow) if v[0] != "small"]
    assert sorted(first) == [
        ("b_speaks", "00:00", "pass"),
        ("b_speaks", "00:20", "fail"),
        ("enough", "00:00", "pass"),
        ("enough", "00:20", "fail"),
        ("enough", "00:30", "pass"),
    ]
    add(tmp_path, reading(55, value=10), reading(61))
    process = flow.start()
    assert process.wait(timeout=120) == 1, flow.said
    assert "small: 10 from 2024-01-01T00:00:50+00:00 on, expected at most 9" in flow.said, flow.said
    assert written(flow) == 4, "nothing of the window counts"
    assert verdicts(flow)[-1] == ("small", "00:50", "fail")
    new = {"name": "new", "row_count": {"min": 1, "per": "30 seconds", "on_fail": "warn"}}
    flow.parts = {**PARTS, "checks": [*checks[:2], new]}
    process = flow.write().start()
    wait_until(lambda: written(flow) == 6, "it goes on with them", process, flow)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said


def test_silence_by_the_clock_is_told_and_changes_nothing(tmp_path: Path) -> None:
    flow = Flow(tmp_path, {**PARTS, "stream": {"checkpoint": "50 ms", "silence": "100 ms"}}).write()
    add(tmp_path, reading(1))
    process = flow.start()
    wait_until(lambda: written(flow) == 1 and _told(flow)[-1:] == ["silent"], "silence is told", process, flow)
    before = _told(flow)
    add(tmp_path, reading(2))
    wait_until(lambda: _told(flow)[len(before) :] == ["heard", "silent"], "it is over, and begins again", process, flow)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said
    assert written(flow) == 2


def _told(flow: Flow) -> list[str]:
    kinds = [json.loads(line)["type"] for line in flow.ask("events", "export").splitlines()]
    return [kind.partition("source_")[2].partition("/")[0] for kind in kinds if "stream.source_" in kind]
