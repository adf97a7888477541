"""Rules of how rows come: their verdicts are those of a reckoning row by row, however rows are cut, mixed and interrupted."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, Row, columns, messages, plan

from headrace.business.model.types import Integer, String, Timestamp

SCHEMA = columns(at=Timestamp(), k=String(), n=Integer(64))
ARROW = pa.schema([("at", pa.timestamp("us")), ("k", pa.string()), ("n", pa.int64())])
BEGIN = datetime.fromisoformat("2024-02-28 23:59:50")
DELAY, LATENESS, WITHIN = 2, 3, 4
DEFINITION = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract:
      columns: {at: {type: timestamp, required: true}, k: {type: string, not_in: [bad]}, n: {type: int64, at_most: {is: 90, on_violation: warn}}}
      rules:
        in time: {lateness: 3 seconds, on_violation: drop}
        once: {unique: [k, n], within: 4 seconds}
        complete: {sequence: n, by: k}
    watermark: {column: at, delay: 2 seconds}
sinks:
  - file: {path: out/, mode: append}
"""
row = st.tuples(
    st.integers(-12, 4), st.sampled_from(["a", "b", "bad", None]), st.one_of(st.none(), st.integers(0, 6), st.just(91))
)
Verdict = tuple[str, ...]


def verdicts(rows: list[Row]) -> Iterator[Verdict]:
    """Of each row of one partition the rules that it breaks, reckoned one after another as the documentation says."""
    highest: int | None = None
    came: list[Row] = []
    greatest: dict[Any, int] = {}
    for row in rows:
        at, key, number = row
        broken = ["k.not_in"] * (key == "bad") + ["n.at_most"] * (number is not None and number > 90)
        if key == "bad":
            yield tuple(broken)
            continue
        highest = at if highest is None else max(highest, at)
        watermark = highest - DELAY
        broken += ["in time"] * (watermark - at > LATENESS)
        near = any((k, n) == (key, number) and abs(t - at) < WITHIN for t, k, n in came)
        broken += ["once"] * (key is not None and number is not None and near and at >= watermark - WITHIN)
        if number is not None:
            broken += ["complete"] * (number > greatest.get(key, number) + 1)
            greatest[key] = max(greatest.get(key, number), number)
        came.append(row)
        yield tuple(broken)


def placed(partitions: list[list[Row]]) -> list[list[Row]]:
    """Rows whose times go on from one to the next, or back."""
    found = []
    for rows in partitions:
        now, placed_rows = 0, []
        for step, key, number in rows:
            now = max(now, now + step) if step > -8 else now
            placed_rows.append((now + min(step, 0), key, number))
        found.append(placed_rows)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(partitions=st.lists(st.lists(row, max_size=50), min_size=1, max_size=3), chance=st.randoms(use_true_random=False))
def test_verdicts_are_those_of_one_row_after_another(partitions: list[list[Row]], chance: Any) -> None:
    parts = placed(partitions)
    expected = {(p, i): verdict for p, rows in enumerate(parts) for i, verdict in enumerate(verdicts(rows))}
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(plan(DEFINITION, events=messages(SCHEMA)), Path(folder))
        try:
            found = judged(loop, parts, chance)
        finally:
            loop.close()
    assert found == {place: verdict for place, verdict in expected.items() if verdict}
    held = [place for place, verdict in expected.items() if {"k.not_in", "in time", "once"} & set(verdict)]
    assert len(loop.given.get("events", [])) == len(expected) - len(held)
    counts: dict[str, int] = defaultdict(int)
    for judgement in loop.judged:
        assert judgement.read == judgement.good + judgement.quarantined + judgement.dropped
        for rule in judgement.rules:
            counts[rule.rule] += rule.rows
    assert counts["once"] == sum("once" in verdict for verdict in expected.values())


def judged(loop: Loop, parts: list[list[Row]], chance: Any) -> dict[tuple[int, int], Verdict]:
    """The rules that rows break, by partition and place, of a stream that is cut, mixed and interrupted."""
    found: dict[tuple[int, int], Verdict] = {}
    left = [0] * len(parts)
    while open_ones := [p for p, rows in enumerate(parts) if left[p] < len(rows)]:
        p = chance.choice(open_ones)
        rows = parts[p][left[p] : left[p] + chance.choice([1, 2, 7, 50])]
        first = loop.number
        judgement = loop.take("events", str(p), arrow(rows))
        for held in judgement.held.to_pylist() if judgement.held is not None else ():
            place = int(held["position"]) - first
            assert f'"k":"{rows[place][1]}"' in held["raw"] or rows[place][1] is None
            found[p, left[p] + place] = tuple(held["reasons"])
        left[p] += len(rows)
        if chance.random() < 0.3:
            loop.checkpoint(whole=not loop.saved or chance.random() < 0.3)
            if chance.random() < 0.5:
                loop.restart()
    loop.end()
    return found


def arrow(rows: list[Row]) -> pa.RecordBatch:
    cells = [[BEGIN + timedelta(seconds=at) for at, _, _ in rows], [k for _, k, _ in rows], [n for _, _, n in rows]]
    return pa.RecordBatch.from_arrays([pa.array(c, f.type) for c, f in zip(cells, ARROW, strict=True)], schema=ARROW)
