"""What a stream computes of rows and of those before them, in the order of time, is what a batch computes of all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, in_batch, messages, plan, stored
from tests.integration.windows.test_agreement import ARROW, HEAD, SCHEMA, arrow, dense, run, same

from headrace.business.streams.flow import Flow
from headrace.infrastructure.engines.duckdb import stream_keeping

KINDS = {
    "so many rows": "{partition_by: [k], order_by: [at, n, x], rows: [-2, 0], columns: {mean: avg(x), most: max(n), before: 'lag(n, 3, 0)', "
    "first: first_value(x), ratio: 'n / nullif(sum(n), 0)'}}",
    "a length of time": "{columns: {recent: \"count(*) over (partition by k order by at range between interval '2 seconds' preceding and current row)\"}}",
    "all rows in one order": "{order_by: [at, k nulls first, n, x], rows: [-4, -1], columns: {earlier: sum(n), last: lag(k)}}",
}  # fmt: skip
BEHIND = """
    name: beside
  - aggregate: {window: {tumbling: 5s}, by: [k], measures: {rows: count(*), sum: sum(n)}}
    name: totals
sinks:
  - {from: beside, file: {path: beside/, mode: append}}
  - {from: totals, file: {path: totals/, mode: append}}
"""


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    """Rows that are over go whenever they can, however few they are: what is missed then is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_keeping, "FEW", 0)
        yield


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    partitions=st.lists(st.lists(dense, min_size=9, max_size=40), min_size=1, max_size=2),
    chance=st.randoms(use_true_random=False),
)
def test_a_stream_looks_back_as_a_batch_does(kind: str, partitions: list[list[tuple[Any, ...]]], chance: Any) -> None:
    text = HEAD + f"  - window: {KINDS[kind]}" + BEHIND
    parts = {str(i): arrow(rows) for i, rows in enumerate(partitions)}
    everything = pa.Table.from_batches(list(parts.values()), ARROW).combine_chunks().to_batches(max_chunksize=1 << 20)
    whole = everything[0] if everything else pa.RecordBatch.from_pylist([], ARROW)
    with tempfile.TemporaryDirectory() as folder:
        expected = in_batch(plan(text, events=stored(SCHEMA, whole)), Path(folder), "beside", "totals")
        loop = Loop(plan(text, events=messages(SCHEMA)), Path(folder))
        try:
            run(loop, parts, chance)
            assert same(loop.given["beside"], expected["beside"])
            assert same(loop.given["totals"], expected["totals"])
            assert sum(judged.late for judged in loop.judged) == 0
        finally:
            loop.close()


def test_rows_that_no_later_row_looks_back_to_are_forgotten() -> None:
    text = HEAD + f"  - window: {KINDS['so many rows']}" + BEHIND
    rows = arrow([(100, 0, "ab"[i % 2], 1.0, i % 7) for i in range(4000)])
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(plan(text, events=messages(SCHEMA)), Path(folder))
        try:
            for at in range(0, 4000, 100):
                loop.take("events", "0", rows.slice(at, 100))
                loop.advance({"events": ["0"]})
            loop.drain()
            assert len(loop.given["beside"]) == 4000 - 4  # three seconds may still bring rows before these
            assert loop.session.measures()["beside"]["rows"] < 1200
        finally:
            loop.close()


@pytest.mark.parametrize(
    "window",
    [
        "{partition_by: [k], order_by: [at], columns: {next: lead(n)}}",
        "{partition_by: [k], order_by: [at], columns: {sum: sum(n)}}",
        "{partition_by: [k], order_by: [at], columns: {nth: row_number()}}",
        "{partition_by: [k], order_by: [-at], rows: [-2, 0], columns: {sum: sum(n)}}",
        "{partition_by: [k], order_by: [n], rows: [-2, 0], columns: {sum: sum(n)}}",
        "{partition_by: [k], order_by: [at], rows: [-2, 1], columns: {sum: sum(n)}}",
        "{order_by: [at], rows: [-2, 0], columns: {here: sum(n), there: sum(n) over (partition by k order by at rows 2 preceding)}}",
    ],
)
def test_a_stream_looks_neither_forward_nor_back_to_the_beginning(window: str) -> None:
    text = HEAD + f"  - window: {window}\nsinks:\n  - file: {{path: out/, mode: append}}\n"
    (problem,) = Flow.of(plan(text, events=messages(SCHEMA))).problems
    assert "rows that may come later, or at all that ever came" in problem.message
    assert problem.path == ("steps", 0, "window")
    assert "look back" in (problem.hint or "")


def test_a_row_that_comes_when_later_ones_were_given_out_is_late() -> None:
    text = (
        HEAD + f"  - window: {KINDS['so many rows']}" + BEHIND + "  - {from: beside.late, file: {path: late/, mode: append}}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(plan(text, events=messages(SCHEMA)), Path(folder))
        try:
            loop.take("events", "0", arrow([(0, 0, "a", 1.0, 1), (1000, 0, "a", 2.0, 2)]))
            assert loop.take("events", "0", arrow([(600, 0, "a", 3.0, 3), (300, 0, "a", 4.0, 4)])).late == 1
            loop.end()
            assert [given[3] for given in loop.given["beside"]] == [1, 4, 2]
            assert [given[3] for given in loop.given["beside.late"]] == [3]
        finally:
            loop.close()
