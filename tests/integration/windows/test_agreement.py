"""The law of streams: what a batch gives for some rows, a stream gives for the same, however they are cut, mixed, delayed and interrupted."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, Row, columns, in_batch, messages, plan, stored

from headrace.business.model.types import Float, Integer, String, Timestamp

SCHEMA = columns(at=Timestamp(), k=String(), x=Float(64), n=Integer(32))
ARROW = pa.schema([("at", pa.timestamp("us")), ("k", pa.string()), ("x", pa.float64()), ("n", pa.int32())])
BEGIN = datetime.fromisoformat("2024-02-28 23:59:30")

HEAD = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: string, x: {type: float64, at_most: 90}, n: int32}}
    watermark: {column: at, delay: 3 seconds}
steps:
"""
SINK = "\nsinks:\n  - file: {path: out/, mode: append}\n"
MEASURES = (
    "{rows: count(*), sure: count(x), sum: sum(n), mean: avg(x) filter (where n > 2), spread: stddev(x), pop: var_pop(n), least: min(k), "
    "most: max(x), opening: 'first(n order by at, x, n)', closing: 'last(x order by at, n, x)', best: 'arg_max(k, x)', all: bool_and(n > 0), "
    "ratio: 'sum(x) / nullif(count(n), 0)', big: count_if(n > 5), low: 'approx_quantile(x, 0.3)', often: 'approx_top_k(n, 2)', least_often: 'approx_top_k(x, 9)'}"
)
WHOLE = "{middle: median(x), different: count(distinct n), some: list(n order by n)}"
STEPS = {
    "tumbling": f"aggregate: {{window: {{tumbling: 4s}}, by: [k], measures: {MEASURES}}}",
    "without keys": "aggregate: {window: {tumbling: 7s}, measures: {rows: count(*), mean: avg(x)}}",
    "sliding": f"aggregate: {{window: {{sliding: 6s, every: 2s}}, by: [k], measures: {MEASURES}}}",
    "uneven": "aggregate: {window: {sliding: 7s, every: 3s}, by: {key: upper(k)}, measures: {rows: count(*), s: variance(x)}}",
    "session": f"aggregate: {{window: {{session: 2s}}, by: [k], measures: {MEASURES}}}",
    "whole rows": f"aggregate: {{window: {{tumbling: 4s}}, by: [k], measures: {WHOLE}}}",
    "whole sessions": f"aggregate: {{window: {{session: 2s}}, by: [k], measures: {WHOLE}}}",
    "two levels": "aggregate: {window: {tumbling: 2s}, by: [k], measures: {rows: count(*)}}\n"
    "  - aggregate: {window: {tumbling: 6s, on: window_start}, measures: {most: max(rows), rows: sum(rows)}}",
    "behind a session": "aggregate: {window: {session: 1s}, by: [k], measures: {rows: count(*)}}\n"
    "  - aggregate: {window: {tumbling: 6s, on: window_end}, measures: {sessions: count(*), rows: sum(rows)}}",
}

row = st.tuples(
    st.integers(0, 500),  # how long after the row before, in hundredths of a second
    st.integers(0, 299),  # how much out of order
    st.sampled_from(["a", "b", None]),
    st.one_of(st.none(), st.floats(-100, 100, allow_nan=False)),
    st.one_of(st.none(), st.integers(0, 9)),
)
#: Rows that happen close to each other, of few keys.
dense = st.tuples(
    st.integers(0, 100),
    st.integers(0, 299),
    st.sampled_from(["a", None]),
    st.one_of(st.none(), st.floats(-9, 9)),
    st.integers(0, 3),
)


def arrow(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows in the order in which they come: on time, give or take the delay."""
    time, found = 0, []
    for step, back, key, x, n in rows:
        time += step
        found.append((BEGIN + timedelta(milliseconds=10 * (time - back)), key, x, n))
    columns_ = list(zip(*found, strict=True)) or [[], [], [], []]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns_, ARROW, strict=True)], schema=ARROW
    )


def same(found: list[Row], expected: list[Row]) -> bool:
    key = repr
    left, right = sorted(map(rounded, found), key=key), sorted(map(rounded, expected), key=key)
    return len(left) == len(right) and all(map(alike, left, right))


def rounded(given_row: Row) -> Row:
    return tuple(float(f"{value:.7g}") if isinstance(value, float) else value for value in given_row)


def alike(left: Row, right: Row) -> bool:
    return all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-7))
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("kind", STEPS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(partitions=st.lists(st.lists(row, max_size=60), min_size=1, max_size=3), chance=st.randoms(use_true_random=False))
def test_a_stream_gives_what_a_batch_gives(kind: str, partitions: list[list[tuple[Any, ...]]], chance: Any) -> None:
    definition = HEAD + f"  - {STEPS[kind]}\n" + SINK
    parts = {str(i): arrow(rows) for i, rows in enumerate(partitions)}
    whole = pa.Table.from_batches(list(parts.values()), ARROW).combine_chunks().to_batches(max_chunksize=1 << 20)
    everything = whole[0] if whole else pa.RecordBatch.from_pylist([], ARROW)
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(definition, events=messages(SCHEMA))
        dataset = planned.sinks[0].dataset
        expected = in_batch(plan(definition, events=stored(SCHEMA, everything)), Path(folder), dataset)[dataset]
        loop = Loop(planned, Path(folder))
        try:
            run(loop, parts, chance)
            assert same(loop.given.get(dataset, []), expected)
            assert sum(judged.late for judged in loop.judged) == 0
        finally:
            loop.close()


def run(loop: Loop, parts: dict[str, pa.RecordBatch], chance: Any, others: pa.RecordBatch | None = None) -> None:
    """Take rows in pieces, partition by partition as it happens, with checkpoints and restarts in between."""
    known = {("events", name): rows for name, rows in parts.items()} | ({("others", "0"): others} if others is not None else {})
    partitions = {"events": list(parts), "others": ["0"]}
    left = dict.fromkeys(known, 0)
    while open_ones := [place for place in left if left[place] < len(known[place])]:
        place = chance.choice(open_ones)
        size = chance.choice([1, 3, 10, 50])
        loop.take(*place, known[place].slice(left[place], size))
        left[place] += size
        if chance.random() < 0.5:
            loop.advance(partitions)
        if chance.random() < 0.3:
            loop.checkpoint(whole=not loop.saved or chance.random() < 0.3)
            if chance.random() < 0.3:
                loop.restart()
    loop.end()


COPIES = (
    HEAD + "  - clean: {dedupe: {key: [k, n], within: 5s}}\n    name: once\n"
    "  - aggregate: {window: {tumbling: 20s}, by: [k], measures: {rows: count(*), sum: sum(n)}}\n    name: totals\n"
    "sinks:\n  - file: {path: once/, mode: append}\n    from: once\n  - file: {path: totals/, mode: append}\n    from: totals\n"
)
event = st.tuples(
    st.integers(500, 2000),
    st.sampled_from(["a", "b", None]),
    st.one_of(st.none(), st.floats(-100, 80, allow_nan=False)),
    st.sampled_from([1, 2]),
    st.sampled_from([(0,), (1,), (0, 1), (1, 0, 2)]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(happened=st.lists(event, max_size=40), chance=st.randoms(use_true_random=False))
def test_copies_go_through_once_whichever_partition_brings_them(happened: list[tuple[Any, ...]], chance: Any) -> None:
    """Each event comes in one partition or in several, in the order of time."""
    brought: list[list[tuple[Any, ...]]] = [[], [], []]
    time = [0, 0, 0]
    now = 0
    for step, key, x, n, partitions in happened:
        now += step
        for p in partitions:
            brought[p].append((now - time[p], 0, key, x, n))
            time[p] = now
    parts = {str(i): arrow(rows) for i, rows in enumerate(brought)}
    everything = pa.Table.from_batches(list(parts.values()), ARROW).combine_chunks().to_batches(max_chunksize=1 << 20)
    stored_rows = everything[0] if everything else pa.RecordBatch.from_pylist([], ARROW)
    with tempfile.TemporaryDirectory() as folder:
        expected = in_batch(plan(COPIES, events=stored(SCHEMA, stored_rows)), Path(folder), "once", "totals")
        loop = Loop(plan(COPIES, events=messages(SCHEMA)), Path(folder))
        try:
            run(loop, parts, chance)
            assert same(loop.given["once"], expected["once"])
            assert same(loop.given["totals"], expected["totals"])
            assert sum(judged.late for judged in loop.judged) == 0
        finally:
            loop.close()


JOIN = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: string, x: float64, n: int32}}
    watermark: {column: at, delay: 3 seconds}
  others:
    file: others.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: string, x: float64, n: int32}}
    watermark: {column: at, delay: 3 seconds}
steps:
  - join: {with: others, on: {k: k}, suffix: _other, within: 2s, how: %s}
    from: events
    name: joined
  - aggregate: {window: {tumbling: 5s}, by: [k], measures: {pairs: count(n_other), rows: count(*)}}
    name: totals
sinks:
  - file: {path: joined/, mode: append}
    from: joined
  - file: {path: totals/, mode: append}
    from: totals
"""


@pytest.mark.parametrize("how", ["inner", "left"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ours=st.lists(row, max_size=40), theirs=st.lists(row, max_size=40), chance=st.randoms(use_true_random=False))
def test_two_streams_find_the_partners_that_a_batch_finds(
    how: str, ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]], chance: Any
) -> None:
    left, right = arrow(ours), arrow(theirs)
    with tempfile.TemporaryDirectory() as folder:
        in_memory = {"events": stored(SCHEMA, left), "others": stored(SCHEMA, right)}
        expected = in_batch(plan(JOIN % how, **in_memory), Path(folder), "joined", "totals")
        loop = Loop(plan(JOIN % how, events=messages(SCHEMA), others=messages(SCHEMA)), Path(folder))
        try:
            run(loop, {"0": left}, chance, others=right)
            assert same(loop.given["joined"], expected["joined"])
            assert same(loop.given["totals"], expected["totals"])
        finally:
            loop.close()


def test_rows_that_a_join_takes_no_more_are_datasets_of_their_sides() -> None:
    sinks = "".join(f"  - file: {{path: {side}/, mode: append}}\n    from: pairs.{side}.late\n" for side in ("left", "right"))
    definition = JOIN.partition("steps:")[0] + (
        "steps:\n  - join: {with: others, on: {k: k}, suffix: _other, within: 2s}\n    name: pairs\nsinks:\n" + sinks
    )
    late, later = (0, 1000, "a", 1.0, 7), (0, 900, "b", 2.0, 8)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(plan(definition, events=messages(SCHEMA), others=messages(SCHEMA)), Path(folder))
        try:
            taken = [
                loop.take(source, "0", arrow([(1500, 0, "a", 0.0, 1), row]))
                for source, row in (("events", late), ("others", later))
            ]
            loop.drain()
        finally:
            loop.close()
    assert [judged.late for judged in taken] == [1, 1]
    assert loop.given["pairs.left.late"] == [(BEGIN + timedelta(seconds=5), "a", 1.0, 7)]
    assert loop.given["pairs.right.late"] == [(BEGIN + timedelta(seconds=6), "b", 2.0, 8)]


@pytest.mark.parametrize("measures", ["{rows: count(*), sum: sum(n), mean: avg(x)}", "{rows: count(*), middle: median(n)}"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(partitions=st.lists(st.lists(row, max_size=40), min_size=1, max_size=2), chance=st.randoms(use_true_random=False))
def test_sessions_that_grow_and_merge_end_as_those_of_a_batch(
    measures: str, partitions: list[list[tuple[Any, ...]]], chance: Any
) -> None:
    """Whoever keeps the last row of each key and start, and leaves out those without length, has the sessions."""
    definition = HEAD + f"  - aggregate: {{window: {{session: 2s}}, by: [k], measures: {measures}, emit: EMIT}}\n" + SINK
    parts = {str(i): arrow(rows) for i, rows in enumerate(partitions)}
    whole = pa.Table.from_batches(list(parts.values()), ARROW).combine_chunks().to_batches(max_chunksize=1 << 20)
    everything = whole[0] if whole else pa.RecordBatch.from_pylist([], ARROW)
    with tempfile.TemporaryDirectory() as folder:
        batch = plan(definition.replace("EMIT", "close"), events=stored(SCHEMA, everything))
        expected = in_batch(batch, Path(folder), "aggregate")["aggregate"]
        for emit in ("change", "both"):
            loop = Loop(plan(definition.replace("EMIT", emit), events=messages(SCHEMA)), Path(folder))
            try:
                run(loop, parts, chance)
                given_out = loop.given.get("aggregate", [])
                last = {(row[2], row[0]): row[:5] for row in given_out}
                assert same([row for row in last.values() if row[1] > row[0]], [row[:5] for row in expected])
                assert all(row[3] == 0 for row in last.values() if row[1] == row[0])
                if emit == "both":
                    assert same([row[:-1] for row in given_out if row[-1]], expected)
            finally:
                loop.close()
