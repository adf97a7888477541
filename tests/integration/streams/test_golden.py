"""The same pipeline gives the same, run as a batch, as a stream, in whatever pieces, and however often it is killed on the way."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.integration.streams.flows import Flow
from tests.integration.streams.shared import by_threads, run_with, stopped_at

from headrace import bootstrap
from headrace.business.streams.messages import Sharing

RATE = {
    "total": 1500, "partitions": 3, "seed": 5,
    "fields": {
        "id": "sequence", "at": {"time": "2 seconds"}, "key": {"key": 7}, "value": {"between": [-3, 99]}, "kind": {"one_of": ["a", "b", "c"]},
    },
}  # fmt: skip
CONTRACT = {
    "columns": {
        "id": {"type": "int64", "required": True},
        "at": {"type": "timestamptz", "required": True},
        "key": {"type": "string", "required": True},
        "value": {"type": "int32", "at_least": 0},
        "kind": {"type": "string", "in": ["a", "b"], "on_violation": "drop"},
    }
}
#: Rules that remember which rows came before: in streams alone.
REMEMBERING = {
    **CONTRACT,
    "rules": {"once": {"unique": ["key", "value"], "within": "300 ms"}, "complete": {"sequence": "id", "by": "kind"}},
}
KINDS = "code,meaning\na,apple\nb,banana\n"
MEASURES = {
    "events": "count(*)", "total": "sum(value)", "least": "min(value)", "mean": "avg(value)", "spread": "stddev_samp(value)",
    "odd": "count(*) filter (where value % 2 = 1)", "any_high": "max(value) > 90",
}  # fmt: skip


def grouped(window: Mapping[str, str], **options: Any) -> dict[str, Any]:
    return {"aggregate": {"by": ["key"], "window": dict(window), "measures": MEASURES, **options}}


PIPELINES: dict[str, list[dict[str, Any]]] = {
    "row by row": [{"derive": {"double": "value * 2"}}, {"filter": "value > 10"}],
    "tumbling": [grouped({"tumbling": "1 second"})],
    "sliding": [grouped({"sliding": "1 second", "every": "250 ms"}), {"filter": "events > 1"}],
    "sessions": [grouped({"session": "40 ms"}), {"derive": {"long": "window_end - window_start > interval '1 second'"}}],
    "paired, over, and looked back to": [
        {"name": "high", "from": "events", "filter": "value > 60"},
        {"name": "low", "from": "events", "filter": "value <= 60"},
        {
            "name": "pairs",
            "from": "high",
            "join": {"with": "low", "on": ["key"], "suffix": "_low", "between": ["at", "at + interval '300 ms'"]},
        },
        {"name": "over", "aggregate": {"by": ["id", "key", "at"], "measures": {"pairs": "count(*)", "most": "max(value_low)"}}},
        {"window": {"partition_by": ["key"], "order_by": ["at", "id"], "rows": [-4, 0], "columns": {"recent": "avg(pairs)"}}},
    ],
    "looked up": [
        {"lookup": {"with": "kinds", "on": {"kind": "code"}, "take": ["meaning"]}},
        {"aggregate": {"by": ["meaning"], "window": {"tumbling": "500 ms"}, "measures": {"events": "count(*)"}}},
    ],
}


def parts(
    steps: list[dict[str, Any]], source: Mapping[str, Any], sink: Mapping[str, Any], contract: Mapping[str, Any] = CONTRACT
) -> dict[str, Any]:
    event_time = {"column": "at", "delay": "2 seconds"}
    sources: dict[str, Any] = {"events": {**source, "contract": contract, "watermark": event_time}}
    if any("lookup" in step for step in steps):
        sources["kinds"] = {"file": "kinds.csv"}
    return {"sources": sources, "steps": steps, "sinks": [dict(sink)]}


def a_flow(folder: Path, steps: list[dict[str, Any]], contract: Mapping[str, Any] = CONTRACT, **stream: Any) -> Flow:
    folder.mkdir()
    (folder / "kinds.csv").write_text(KINDS)
    sink = {"duckdb": {"path": "out.duckdb", "table": "result", "mode": "append"}}
    return Flow(folder, {**parts(steps, {"rate": RATE}, sink, contract), "stream": stream}).write()


def result(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        rows = con.sql("SELECT * FROM result").fetchall()
    return sorted((tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in rows), key=repr)


def as_batch(folder: Path, steps: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What the batch pipeline makes of the same events, written into a file."""
    folder.mkdir()
    (folder / "kinds.csv").write_text(KINDS)
    loaded = bootstrap.load(a_flow(folder / "as a stream", steps).file)
    source: Any = loaded.definition.sources["events"].plugin
    feed, lines = source.feed(folder, Sharing("test"), {}), []
    while not feed.exhausted:
        lines += [payload.decode() for messages in feed.poll(1000, 0.0) for payload in messages.payloads.to_pylist()]
    feed.close()
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    sink = {"duckdb": {"path": "out.duckdb", "table": "result"}}
    bootstrap.run(bootstrap.load(Flow(folder, parts(steps, {"file": "events.jsonl"}, sink)).write().file))
    return result(folder / "out.duckdb")


@pytest.mark.parametrize("name", PIPELINES)
def test_batch_stream_and_pieces_of_it_agree(name: str, tmp_path: Path) -> None:
    steps = PIPELINES[name]
    expected = as_batch(tmp_path / "batch", steps)
    assert len(expected) >= 10
    for pieces, stream in {"whole": {}, "small": {"rows": 97, "checkpoint": "1 ms"}}.items():
        flow = a_flow(tmp_path / pieces, steps, **stream)
        bootstrap.run(bootstrap.load(flow.file))
        assert result(flow.folder / "out.duckdb") == expected, pieces


@pytest.mark.parametrize("name", ["row by row", "tumbling", "sessions", "paired, over, and looked back to"])
def test_killed_and_resumed_at_three_checkpoints(name: str, tmp_path: Path) -> None:
    steps = PIPELINES[name]
    plain = a_flow(tmp_path / "plain", steps)
    bootstrap.run(bootstrap.load(plain.file))
    killed = a_flow(tmp_path / "killed", steps, rows=97, checkpoint="1 ms")
    for point in ("stream saved@2", "stream committed@3", "stream acknowledged@2"):
        process = killed.start(point)
        assert process.wait(timeout=120) == -signal.SIGKILL, killed.said
    bootstrap.run(bootstrap.load(killed.file))
    assert result(killed.folder / "out.duckdb") == result(plain.folder / "out.duckdb")


@pytest.mark.parametrize(
    ("name", "contract"),
    [*((name, CONTRACT) for name in PIPELINES), ("row by row", REMEMBERING)],
    ids=[*PIPELINES, "remembering"],
)
def test_resumed_with_two_and_then_three_workers(
    name: str, contract: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_threads(monkeypatch)
    steps = PIPELINES[name]
    plain = a_flow(tmp_path / "plain", steps, contract)
    bootstrap.run(bootstrap.load(plain.file))
    shared = a_flow(tmp_path / "shared", steps, contract, rows=37, checkpoint="1 ms", wait="1 ms")
    for workers, point in ((1, "stream saved"), (2, "stream committed")):
        stopped_at(monkeypatch, point, 3)
        with pytest.raises(KeyboardInterrupt):
            run_with(shared, workers)
    others = run_with(shared, 3)
    assert len(others) == 2
    assert any(worker["read"] for worker in others), others
    assert result(shared.folder / "out.duckdb") == result(plain.folder / "out.duckdb")
