"""A stream is seen and steered from outside: what it could not take, what it keeps, pauses, ends, and beginning anew."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import duckdb
from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, wait_until, windows

STRANGE = "1001,k1,7,2024-01-01T00:00:30.000Z"


def a_flow(folder: Path, messages: Any = "json", **stream: Any) -> Flow:
    parts = {
        "sources": {
            "events": {
                "tail": {"path": "events.log", "format": messages},
                "contract": CONTRACT,
                "watermark": {"column": "at", "delay": "2 seconds"},
            }
        },
        "steps": [COUNTED],
        "sinks": [
            {"duckdb": {"path": "out.duckdb", "table": "counted", "mode": "append"}},
            {"name": "late", "from": "counted.late", "duckdb": {"path": "late.duckdb", "table": "late", "mode": "append"}},
        ],
        "stream": {"checkpoint": "50 ms", **stream},
    }
    return Flow(folder, parts).write()


def add(flow: Flow, *rows: Any) -> None:
    with (flow.folder / "events.log").open("a") as file:
        file.writelines(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def stands(flow: Flow) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(flow.ask("streams", "show", flow.name, "--json"))["progress"]
    return found


def through(flow: Flow, *words: str) -> None:
    """Run until all that lies there is read and counts, and stop it by Ctrl-C."""
    process = flow.start("", *words)
    wait_until(lambda: "epoch" in flow.said, "it works", process, flow)
    before = -1
    while (last := _last_epoch(flow)) != before or last == 0:
        before = last
        time.sleep(0.5)  # longer than an epoch takes
        assert process.poll() is None, flow.said
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0, flow.said


def _last_epoch(flow: Flow) -> int:
    return max((epoch for kept in json.loads(flow.ask("state", "--json")) for epoch in kept["epochs"]), default=0)


def table(flow: Flow, name: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(flow.folder / f"{'out' if name == 'counted' else name}.duckdb"), read_only=True) as con:
        return con.sql(f"SELECT * FROM {name} ORDER BY ALL").fetchall()


def test_what_could_not_be_taken_is_kept_with_its_reason_and_read_once_more(tmp_path: Path) -> None:
    flow = a_flow(tmp_path / "flow")
    made = events(300)
    early, broken = made[0], {**made[0], "id": 1000, "value": -5}
    add(flow, *made, STRANGE, broken, early)
    through(flow)
    stood = stands(flow)["sources"]["events"]
    assert {key: stood[key] for key in ("messages", "read", "good", "quarantined", "late", "dead")} == {
        "messages": 303, "read": 302, "good": 301, "quarantined": 1, "late": 1, "dead": 1,
    }  # fmt: skip
    assert stood["rules"] == {"value.at_least": 1}
    letters = json.loads(flow.ask("dead-letters", "show", "counted", "--json"))
    assert [(letter["reason"], letter["payload"]) for letter in letters] == [("json.not_an_object", STRANGE)]
    assert STRANGE in flow.ask("dead-letters", "show", "counted")
    held = json.loads(flow.ask("quarantine", "show", "latest", "--json"))
    assert [(row["reasons"], row["raw"]["id"]) for row in held] == [(["value.at_least"], "1000")]
    assert [row[0] for row in table(flow, "late")] == [0]

    through(flow, "dead-letters", "replay", str(flow.file))
    assert len(json.loads(flow.ask("dead-letters", "show", "counted", "--json"))) == 1, "it cannot be read any better"
    flow = a_flow(tmp_path / "flow", {"csv": {"columns": ["id", "key", "value", "at"]}})
    through(flow, "dead-letters", "replay", str(flow.file))
    assert json.loads(flow.ask("dead-letters", "list", "--json")) == []


def test_it_pauses_goes_on_ends_and_begins_anew(tmp_path: Path) -> None:
    flow = a_flow(tmp_path / "flow")
    made = events(600)
    add(flow, *made[:300])
    process = flow.start()
    wait_until(lambda: "counted" in flow.ask("streams"), "it is seen", process, flow)
    flow.ask("streams", "pause", "counted")
    assert json.loads(flow.ask("streams", "--json"))[0]["state"] == "paused"
    flow.ask("streams", "resume", "counted")
    flow.ask("streams", "stop", "counted")
    assert process.wait(timeout=120) == 0, flow.said
    assert json.loads(flow.ask("streams", "--json"))[0]["state"] == "stopped"

    add(flow, *made[300:], {**made[0], "id": -1, "key": "end", "at": "2024-01-01T02:00:00.000Z"})
    through(flow)
    expected = windows(made)
    found = {(row[0].strftime("%H:%M:%S"), row[2]): row[3:] for row in table(flow, "counted")}
    assert found == expected

    through(flow, "streams", "replay", "--from", "earliest", str(flow.file))
    again = [(row[0].strftime("%H:%M:%S"), row[2]) for row in table(flow, "counted")]
    assert sorted(again) == sorted([*expected, *expected]), "all of it came once more"
