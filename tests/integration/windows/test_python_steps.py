"""Functions of Python in a stream: called with what came together, they give what they give in a batch, as long as rows are their own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, in_batch, messages, plan, stored
from tests.integration.windows.test_agreement import ARROW, HEAD, SCHEMA, SINK, arrow, row, run, same

from headrace.business.streams.flow import Flow
from headrace.business.streams.planning import notes
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

FUNCTION = """
import pyarrow as pa
import pyarrow.compute as pc


def positive(rows, least):
    rows = rows.filter(pc.greater(rows["n"], least))
    return pa.table({"key": pc.utf8_upper(rows["k"]), "n": pc.cast(pc.multiply(rows["n"], 10), pa.string())})


def wrong(rows):
    return pa.table({"key": rows["k"]})


def wordy(rows):
    return pa.table({"n": ["ten"] * len(rows)})


def broken(rows):
    raise ValueError("no more")
"""
STEPS = """
  - derive: {n: 'n + 1'}
  - python: {call: "steps.py:positive", arguments: {least: 2}, schema: {key: string, n: int64}}
  - derive: {more: 'n + 1'}
    name: ten
  - aggregate: {by: [key], measures: {rows: count(*), most: max(more)}, emit: change}
    name: totals
sinks:
  - file: {path: ten/, mode: append}
    from: ten
  - file: {path: totals/, mode: append}
    from: totals
"""


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(partitions=st.lists(st.lists(row, max_size=40), min_size=1, max_size=2), chance=st.randoms(use_true_random=False))
def test_functions_give_what_they_give_in_a_batch(partitions: list[list[tuple[Any, ...]]], chance: Any) -> None:
    import pyarrow as pa

    parts = {str(i): arrow(rows) for i, rows in enumerate(partitions)}
    whole = pa.Table.from_batches(list(parts.values()), ARROW).combine_chunks().to_batches(max_chunksize=1 << 20)
    everything = whole[0] if whole else pa.RecordBatch.from_pylist([], ARROW)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "steps.py").write_text(FUNCTION)
        expected = in_batch(plan(HEAD + STEPS, events=stored(SCHEMA, everything)), Path(folder), "ten", "totals")
        loop = Loop(plan(HEAD + STEPS, events=messages(SCHEMA)), Path(folder))
        try:
            run(loop, parts, chance)
            assert same(loop.given["ten"], expected["ten"])
            last = {key: (key, rows, most) for key, rows, most in loop.given["totals"]}
            assert same(list(last.values()), expected["totals"])
        finally:
            loop.close()


@pytest.mark.parametrize(
    ("function", "schema", "problem"),
    [
        ("wrong", "{key: string, n: int64}", "gave something else than its declared schema"),
        ("wordy", "{n: int64}", "gave something else than its declared schema"),
        ("broken", "{n: int64}", "raised ValueError: no more"),
        ("missing", "{n: int64}", "there is no function `missing`"),
    ],
)
def test_mistakes_of_functions_are_told_with_their_step(function: str, schema: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(FUNCTION)
    step = f'  - python: {{call: "steps.py:{function}", schema: {schema}}}\n'
    loop = Loop(plan(HEAD + step + SINK, events=messages(SCHEMA)), tmp_path)
    try:
        with pytest.raises(NonRetryableError, match=problem):
            loop.take("events", "0", arrow([(0, 0, "a", 1.0, 1)]))
    finally:
        loop.close()


def test_a_plan_says_what_functions_can_count_on() -> None:
    step = '  - python: {call: "steps.py:f", schema: {at: timestamp}}\n    name: made\n'
    (said,) = (note for note in notes(plan(HEAD + step + SINK, events=messages(SCHEMA))) if note.startswith("made"))
    assert "what it does beside may happen twice" in said
    behind = step + "  - aggregate: {window: {tumbling: 5s, on: at}, measures: {rows: count(*)}}\n"
    (problem,) = Flow.of(plan(HEAD + behind + SINK, events=messages(SCHEMA))).problems
    assert problem.message == "nothing says how late rows may come by `at`"


def test_the_statements_of_a_plan_stop_at_functions_and_go_on_behind_them() -> None:
    planned = plan(HEAD + STEPS, events=stored(SCHEMA, arrow([])))
    said = {statement.title: statement.text for statement in DuckDBEngine().statements(planned)}
    assert 'CAST("n" AS BIGINT) + ' in said["give rows to steps.py:positive"]
    assert '"made python"' in said["stage ten"]
