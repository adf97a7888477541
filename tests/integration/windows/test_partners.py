"""Two streams side by side, by times that the rows themselves say, by windows, or for ever, and what is made of the pairs: as in a batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, columns, in_batch, messages, plan, stored
from tests.integration.windows.test_agreement import SCHEMA, arrow, dense, run, same

from headrace.business.model.types import Integer, String, Timestamp
from headrace.business.streams.flow import Flow
from headrace.business.streams.planning import notes
from headrace.errors import DefinitionError
from headrace.infrastructure.engines.duckdb import stream_keeping

HEAD = """
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
"""
WINDOWS = """
  - {name: ours, from: events, aggregate: {window: {tumbling: 4s}, by: [k], measures: {rows: count(*)}}}
  - {name: theirs, from: others, aggregate: {window: {tumbling: 4s}, by: [k], measures: {others: count(*)}}}
  - name: joined
    from: ours
    join: {with: theirs, on: [window_end, k, window_start], how: %s}
  - {name: totals, aggregate: {by: [window_end], measures: {rows: sum(rows), others: sum(others)}}}
"""
KINDS = {
    "between two times of ours": """
  - {name: spans, from: events, derive: {upto: "at + to_seconds(coalesce(n, 0) - 1)"}}
  - {name: joined, from: spans, join: {with: others, on: [k], suffix: _other, between: ["at - interval '1 second'", upto]}}
  - {name: ended, aggregate: {by: [k, upto, n], measures: {most: max(x_other), rows: count(*)}}}
  - {name: totals, aggregate: {window: {tumbling: 5s, on: upto}, by: [k], measures: {ended: count(*), rows: sum(rows)}}}
""",
    "some time after ours": """
  - name: joined
    from: events
    join: {with: others, on: [k], suffix: _other, how: left, between: ["at + interval '1 second'", "at + interval '3 seconds'"]}
  - {name: totals, aggregate: {window: {tumbling: 5s}, by: [k], measures: {rows: count(*), pairs: count(n_other)}}}
""",
    "in the same window": WINDOWS % "inner",
    "in the same window, or alone": WINDOWS % "left",
    "at any time": """
  - {name: joined, from: events, join: {with: others, on: {k: k}, suffix: _other, keep: forever}}
  - {name: totals, filter: x > x_other}
""",
}  # fmt: skip
SINKS = """
sinks:
  - {from: joined, file: {path: joined/, mode: append}}
  - {from: totals, file: {path: totals/, mode: append}}
"""


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    """Rows that are over go whenever they can, however few they are: what is missed then is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_keeping, "FEW", 0)
        yield


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ours=st.lists(dense, min_size=9, max_size=40),
    theirs=st.lists(dense, min_size=9, max_size=40),
    chance=st.randoms(use_true_random=False),
)
def test_a_stream_finds_the_partners_that_a_batch_finds(
    kind: str, ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]], chance: Any
) -> None:
    left, right, text = arrow(ours), arrow(theirs), HEAD + KINDS[kind] + SINKS
    with tempfile.TemporaryDirectory() as folder:
        in_memory = {"events": stored(SCHEMA, left), "others": stored(SCHEMA, right)}
        expected = in_batch(plan(text, **in_memory), Path(folder), "joined", "totals")
        loop = Loop(plan(text, events=messages(SCHEMA), others=messages(SCHEMA)), Path(folder))
        try:
            run(loop, {"0": left}, chance, others=right)
            assert same(loop.given["joined"], expected["joined"])
            assert same(loop.given["totals"], expected["totals"])
            assert sum(judged.late for judged in loop.judged) == 0
        finally:
            loop.close()


SPANS = '  - {name: spans, from: events, derive: {upto: "at + to_seconds(coalesce(n, 0))"}}\n'
FOREVER = "  - {from: events, join: {with: others, on: [k], suffix: _2, keep: forever}}\n"
REFUSED = [
    (FOREVER.replace("keep", "how: left, keep"), "how long a row waits"),
    (SPANS + "  - {join: {with: others, on: [k], suffix: _2, between: [at, upto], how: left}}\n", "how long a row waits"),
    (SPANS + "  - {join: {with: others, on: [k], suffix: _2, between: [upto, at]}}\n", "how late rows may come by `upto`"),
    ("  - {from: events, join: {with: list, on: [k, at], keep: forever}}\n", "`list` is no stream, so `keep` means nothing for it"),
    (SPANS + "  - {from: spans, aggregate: {by: [upto], measures: {n: count(*)}}}\n", "groups of a stream have no end"),
    (FOREVER + "  - {aggregate: {window: {tumbling: 1s, on: at}, measures: {n: count(*)}}}\n", "how late rows may come by `at`"),
]  # fmt: skip


def test_a_plan_tells_of_state_that_has_no_end() -> None:
    text = HEAD + FOREVER + "sinks:\n  - file: {path: out/, mode: append}\n"
    (note,) = notes(plan(text, events=messages(SCHEMA), others=messages(SCHEMA)))
    assert note.endswith("keeps the rows of both sides for ever, so its state grows with the stream")


STILL = "  list:\n    file: list.parquet\n    contract: {columns: {at: timestamp, k: string, y: int32}}\n    watermark: {column: at}\nsteps:\n"


@pytest.mark.parametrize(("steps", "reason"), REFUSED)
def test_a_plan_says_why_it_cannot_wait_for_partners(steps: str, reason: str) -> None:
    text = HEAD.replace("steps:\n", STILL) + steps + "sinks:\n  - file: {path: out/, mode: append}\n"
    still = columns(at=Timestamp(), k=String(), y=Integer(32))
    scans = {"events": messages(SCHEMA), "others": messages(SCHEMA), "list": stored(still, pa.RecordBatch.from_pylist([]))}
    problems = Flow.of(plan(text, **scans)).problems
    assert [reason in problem.message for problem in problems] == [True], problems
    assert problems[0].hint
    assert problems[0].path[0] == "steps"


WRONG = [
    ("join: {with: others, on: [k], suffix: _2, between: [upper(k), at]}", ("steps", 0, "join", "between", 0), "is no time"),
    ('join: {with: others, on: [k], suffix: _2, between: ["least(at, at)", at]}', ("steps", 0, "join", "between", 0), "from which on"),
    ("join: {with: others, on: [k], suffix: _2, between: [at, att]}", ("steps", 0, "join", "between", 1), "no column `att`"),
    ("join: {with: others, on: [k], suffix: _2, between: [at]}", ("steps", 0, "join", "between"), "two times of ours"),
    ("join: {with: others, on: [k], suffix: _2, within: 1s, keep: forever}", ("steps", 0, "join", "keep"), "different things"),
    ("join: {with: others, on: [k], how: semi, keep: forever}", ("steps", 0, "join", "keep"), "for inner and left joins"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "path", "reason"), WRONG)
def test_what_is_wrong_with_times_of_partners_is_said_where_it_stands(
    step: str, path: tuple[str | int, ...], reason: str
) -> None:
    with pytest.raises(DefinitionError) as raised:
        plan(HEAD + f"  - {step}\n    from: events\n", events=messages(SCHEMA), others=messages(SCHEMA))
    (problem,) = raised.value.problems
    assert reason in problem.message
    assert problem.path == path


def test_what_stands_still_is_looked_up_by_its_time_as_by_any_column() -> None:
    text = HEAD.replace("steps:\n", STILL) + "  - {name: joined, from: events, join: {with: list, on: [at, k], how: left}}\n"
    still = columns(at=Timestamp(), k=String(), y=Integer(32))
    scans = {"events": messages(SCHEMA), "others": messages(SCHEMA), "list": stored(still, pa.RecordBatch.from_pylist([]))}
    flow = Flow.of(plan(text + "sinks:\n  - file: {path: out/, mode: append}\n", **scans))
    assert not flow.problems
    assert "joined" in flow.steps


def test_rows_are_forgotten_when_no_partner_can_come() -> None:
    """However far the ends of some rows are away, those that are over go."""
    text = HEAD + KINDS["between two times of ours"] + SINKS
    ours, theirs = ([(100, 0, "a", 1.0, 3)] * 3000 for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(plan(text, events=messages(SCHEMA), others=messages(SCHEMA)), Path(folder))
        try:
            for at in range(0, 3000, 100):
                loop.take("events", "0", arrow(ours).slice(at, 100))
                loop.take("others", "0", arrow(theirs).slice(at, 100))
                loop.advance({"events": ["0"], "others": ["0"]})
            loop.drain()
            assert len(loop.given["joined"]) == 4 * 3000 - 4
            assert loop.session.measures()["joined"]["rows"] < 2500
            assert loop.session.measures()["ended"]["rows"] < 100
        finally:
            loop.close()
