"""A new version of a stream begins beside the old one, from the start of what the broker keeps, and both give out all there is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import yaml
from tests.integration.streams.flows import CONTRACT, COUNTED, Flow, events, last_call, publish, wait_until, windows
from tests.integration.valkey_server import ValkeyServer

MEAN = {"aggregate": {**COUNTED["aggregate"], "measures": {"mean": "avg(value)", "events": "count(*)"}}}


def test_a_new_version_catches_up_beside_the_old_one_which_then_stops(tmp_path: Path) -> None:
    server = ValkeyServer().start()
    try:
        read = {
            "redis": {"url": server.url, "stream": "events", "field": "payload"},
            "contract": CONTRACT,
            "watermark": {"column": "at", "delay": "2 seconds"},
        }

        def parts(step, table):
            sink = {"sqlite": {"path": "out.sqlite", "table": table, "mode": "append"}}
            return {"sources": {"events": read}, "steps": [step], "sinks": [sink], "stream": "50 ms"}

        made = events(600)
        publish(server.url, "events", made[:300])
        old = Flow(tmp_path, parts(COUNTED, "counted")).write()
        first = old.start()
        wait_until(lambda: rows(tmp_path, "counted"), "the old one gives out windows", first, old)

        (tmp_path / "v2.yaml").write_text(yaml.safe_dump({"pipeline": "counted_v2", **parts(MEAN, "counted_v2")}))
        second = old.start("", "run", "v2.yaml")
        publish(server.url, "events", [*made[300:], last_call(7200)])
        expected = windows(made)
        wait_until(lambda: len(rows(tmp_path, "counted_v2")) >= len(expected), "the new one has caught up", second, old)
        wait_until(lambda: len(rows(tmp_path, "counted")) >= len(expected), "the old one has all", first, old)

        old.ask("streams", "stop", "counted")
        assert first.wait(timeout=60) == 0
        assert second.poll() is None, "the new one goes on alone"
        old.ask("streams", "stop", "counted_v2")
        assert second.wait(timeout=60) == 0
    finally:
        server.remove()
    assert {(start, key): n for start, key, n in rows(tmp_path, "counted")} == {at: n for at, (n, _, _) in expected.items()}
    assert sorted(rows(tmp_path, "counted_v2")) == sorted(rows(tmp_path, "counted"))


def rows(folder: Path, table: str) -> list[tuple[str, str, int]]:
    if not (folder / "out.sqlite").exists():
        return []
    with closing(sqlite3.connect(folder / "out.sqlite", timeout=60)) as con:
        if not con.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [table]).fetchall():
            return []
        return con.execute(f"SELECT substr(window_start, 12, 8), key, events FROM {table}").fetchall()
