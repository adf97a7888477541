"""A partition falls silent, others go on without it, it wakes with events that are late by then: a replay gives the very same."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, last_call, wait_until

SINKS = {"counted": "counted", "late": "counted.late", "raw": "events"}


def a_flow(folder: Path) -> Flow:
    parts = {
        "sources": {
            "events": {
                "tail": {"path": ["one.log", "other.log"], "format": "json"},
                "contract": CONTRACT,
                "watermark": {"column": "at", "delay": "2 seconds", "idle": "400 ms"},
            }
        },
        "steps": [COUNTED],
        "sinks": [
            {"name": name, "from": dataset, "sqlite": {"path": "out.sqlite", "table": name, "mode": "append"}}
            for name, dataset in SINKS.items()
        ],
        "stream": {"checkpoint": "50 ms", "epochs": 1000},
    }
    return Flow(folder, parts).write()


def add(flow: Flow, file: str, rows: list[dict[str, Any]]) -> None:
    with (flow.folder / file).open("a") as opened:
        opened.writelines(f"{json.dumps(row)}\n" for row in rows)


def published(flow: Flow) -> dict[str, Counter[str]]:
    """The rows of each target, compared to the last digit."""
    return {name: Counter(map(repr, ask(flow, "*", name))) for name in SINKS}


def rows_of(flow: Flow, name: str) -> int:
    found = ask(flow, "count(*)", name)
    return int(found[0][0]) if found else 0


def ask(flow: Flow, what: str, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(flow.folder / "out.sqlite", timeout=60)) as con:
        there = con.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).fetchall()
        return con.execute(f"SELECT {what} FROM {table}").fetchall() if there else []


def stop(process: Any, flow: Flow) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said


def test_a_replay_gives_the_same_rows_the_same_late_rows_and_the_same_windows(tmp_path: Path) -> None:
    flow = a_flow(tmp_path / "flow")
    made = events(800)
    early, silent, meanwhile, after = made[:200], made[200:400], made[400:600], made[600:]
    add(flow, "one.log", early[::2])
    add(flow, "other.log", early[1::2])
    process = flow.start()
    wait_until(lambda: rows_of(flow, "raw") == 200, "both are read", process, flow)
    stop(process, flow)
    before = ask(flow, "max(epoch)", "_headrace_streams")[0][0]
    at_first = published(flow)
    assert not at_first["late"]

    process = flow.start()
    add(flow, "one.log", meanwhile)
    wait_until(lambda: rows_of(flow, "counted") >= 15, "windows close without the silent one", process, flow)
    add(flow, "other.log", [*silent, *after[1::2]])
    add(flow, "one.log", after[::2])
    wait_until(lambda: rows_of(flow, "raw") == 800, "all is read", process, flow)
    for file in ("one.log", "other.log"):
        add(flow, file, [last_call(7200)])
    wait_until(lambda: rows_of(flow, "raw") == 802, "the end is read", process, flow)
    stop(process, flow)
    live = published(flow)
    assert sum(live["late"].values()) > 100, "it was late by what had become"

    for start in ("earliest", f"epoch {before}"):
        gone = published(flow)
        expected = live if start == "earliest" else {name: live[name] - at_first[name] for name in SINKS}
        there = sum(gone["raw"].values())
        process = flow.start("", "streams", "replay", "--from", start, str(flow.file))
        wanted = there + sum(expected["raw"].values())
        wait_until(lambda wanted=wanted: rows_of(flow, "raw") >= wanted, "all is read again", process, flow)
        stop(process, flow)
        again = published(flow)
        assert {name: again[name] - gone[name] for name in SINKS} == expected, start
