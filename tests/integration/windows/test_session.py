"""What a stream on DuckDB does with rows as they come: late ones, held ones, looked up ones, windows at the edges of time, its state."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.windows.loop import Loop, Row, columns, in_batch, messages, plan, stored

from headrace.business.model.types import Integer, String, Timestamp
from headrace.business.ports import ArrowScan, Scan
from headrace.business.streams.flow import Flow
from headrace.errors import NonRetryableError

SCHEMA = columns(at=Timestamp(), k=String(), n=Integer(64))
HEAD = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: string, n: {type: int64, at_least: 0}}}
    watermark: {column: at, delay: 2 seconds}
steps:
"""
SINK = "sinks:\n  - file: {path: out/, mode: append}\n"
WINDOW = "  - aggregate: {window: {tumbling: 10s}, by: [k], measures: {rows: count(*), sum: sum(n)}}\n    name: totals\n"


def at(time: str) -> datetime:
    return datetime.fromisoformat(time if "-" in time else f"2024-01-01 {time}")


def rows(*written: tuple[str, str | None, int]) -> pa.RecordBatch:
    times, keys, numbers = zip(*written, strict=True)
    arrays = [pa.array([at(t) for t in times], pa.timestamp("us")), pa.array(keys, pa.string()), pa.array(numbers, pa.int64())]
    return pa.RecordBatch.from_arrays(arrays, names=["at", "k", "n"])


def window(start: str, end: str, *values: Any) -> Row:
    return (at(start), at(end), *values)


class Running:
    """Opens streams, and closes them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.loops = folder, list[Loop]()

    def __call__(self, text: str, **still: Scan) -> Loop:
        self.loops.append(Loop(plan(text, events=messages(SCHEMA), **still), self.folder))
        return self.loops[-1]


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    for loop in running.loops:
        loop.close()


PARTITIONS = {"events": ["0"]}


def closed(loop: Loop, batch: pa.RecordBatch, dataset: str = "totals") -> list[Row]:
    """What one more batch closes."""
    before = len(loop.given.get(dataset, []))
    loop.take("events", "0", batch)
    loop.advance(PARTITIONS)
    loop.drain()
    return sorted(loop.given[dataset][before:])


def test_a_window_closes_when_the_watermark_has_reached_its_end_and_not_before(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    assert closed(loop, rows(("00:00:00", "a", 1), ("00:00:09.999999", "a", 2), ("00:00:10", "a", 4))) == []
    assert closed(loop, rows(("00:00:11.999999", "a", 8))) == []
    assert closed(loop, rows(("00:00:12", "a", 16))) == [window("00:00:00", "00:00:10", "a", 2, 3)]


def test_a_row_is_late_by_the_watermark_of_its_own_partition_alone(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK + "  - file: {path: late/, mode: append}\n    from: totals.late\n")
    loop.take("events", "0", rows(("00:00:30", "a", 1)))
    assert loop.take("events", "1", rows(("00:00:05", "a", 2))).late == 0
    judged = loop.take("events", "0", rows(("00:00:19.999999", "b", 3), ("00:00:20", "b", 4)))
    assert (judged.good, judged.late) == (2, 1)
    loop.end()
    assert loop.given["totals.late"] == [(at("00:00:19.999999"), "b", 3)]
    assert sorted(loop.given["totals"]) == [
        window("00:00:00", "00:00:10", "a", 1, 2),
        window("00:00:20", "00:00:30", "b", 1, 4),
        window("00:00:30", "00:00:40", "a", 1, 1),
    ]


def test_rows_of_one_batch_are_late_by_those_before_them(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    judged = loop.take(
        "events", "0", rows(("00:00:05", "a", 1), ("00:00:12", "a", 1), ("00:00:06", "a", 1), ("00:00:13", "a", 1))
    )
    assert judged.late == 1


def test_rows_of_one_instant_are_in_time_for_each_other_also_without_any_delay(stream: Running) -> None:
    loop = stream(HEAD.replace(", delay: 2 seconds", "") + WINDOW + SINK)
    for _ in range(3):
        assert loop.take("events", "0", rows(("00:00:09.999999", "a", 1), ("00:00:09.999999", "a", 1))).late == 0
        loop.advance(PARTITIONS)
    assert closed(loop, rows(("00:00:10", "a", 1))) == [window("00:00:00", "00:00:10", "a", 6, 6)]


def test_a_window_that_was_about_to_close_is_given_out_after_a_restart_without_another_message(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    loop.take("events", "0", rows(("00:00:05", "a", 1), ("00:00:12", "a", 2)))
    loop.checkpoint(whole=True)
    loop.restart()
    loop.advance(PARTITIONS)
    loop.drain()
    assert loop.given["totals"] == [window("00:00:00", "00:00:10", "a", 1, 1)]


def test_lateness_keeps_windows_open(stream: Running) -> None:
    loop = stream(HEAD + WINDOW.replace("measures", "lateness: 5s, measures") + SINK)
    assert closed(loop, rows(("00:00:05", "a", 1), ("00:00:16", "a", 2), ("00:00:06", "a", 4))) == []
    assert closed(loop, rows(("00:00:17", "a", 8))) == [window("00:00:00", "00:00:10", "a", 2, 5)]


def test_the_horizon_makes_rows_late_that_the_own_watermark_would_not(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    loop.take("events", "0", rows(("00:01:00", "a", 1)))
    loop.advance(PARTITIONS)
    assert loop.take("events", "woken", rows(("00:00:30", "a", 1), ("00:00:51", "a", 1))).late == 1


def test_an_older_row_may_be_in_time_for_some_sliding_windows(stream: Running) -> None:
    loop = stream(HEAD + WINDOW.replace("tumbling: 10s", "sliding: 10s, every: 5s") + SINK)
    loop.take("events", "0", rows(("00:00:12", "a", 1)))
    assert loop.take("events", "0", rows(("00:00:08", "a", 10), ("00:00:04", "a", 100))).late == 1
    loop.end()
    assert sorted(loop.given["totals"]) == [
        window("00:00:05", "00:00:15", "a", 2, 11),
        window("00:00:10", "00:00:20", "a", 1, 1),
    ]


def test_sessions_grow_together_across_batches_and_end_where_silence_is_long_enough(stream: Running) -> None:
    loop = stream(HEAD + WINDOW.replace("tumbling: 10s", "session: 3s") + SINK)
    loop.take("events", "0", rows(("00:00:01", "a", 1), ("00:00:05", "a", 2), ("00:00:05", "b", 4)))
    loop.checkpoint(whole=True)
    loop.restart()
    loop.take("events", "1", rows(("00:00:03", "a", 8), ("00:00:08", "a", 16)))
    loop.end()
    assert sorted(loop.given["totals"]) == [
        window("00:00:01", "00:00:08", "a", 3, 11),
        window("00:00:05", "00:00:08", "b", 1, 4),
        window("00:00:08", "00:00:11", "a", 1, 16),
    ]


@pytest.mark.parametrize("kind", ["tumbling: 7 days", "sliding: 7 days, every: 3 days", "session: 2 days"])
def test_windows_at_the_ends_of_time_are_cut_to_the_years_1_and_9999(kind: str, stream: Running, tmp_path: Path) -> None:
    text = HEAD + WINDOW.replace("tumbling: 10s", kind) + SINK
    early_and_late = rows(
        ("0001-01-01 00:00:00", "a", 1), ("1969-12-31 23:59:59.999999", "a", 2), ("9999-12-31 23:59:59.999999", "a", 3)
    )
    loop = stream(text)
    loop.take("events", "0", early_and_late)
    loop.end()
    expected = in_batch(plan(text, events=stored(SCHEMA, early_and_late)), tmp_path, "totals")["totals"]
    assert sorted(loop.given["totals"]) == sorted(expected)
    assert min(loop.given["totals"])[0] == at("0001-01-01 00:00:00")
    assert max(r[1] for r in loop.given["totals"]) == at("9999-12-31 23:59:59.999999")


def test_rows_that_break_rules_are_held_back_with_what_they_held(stream: Running) -> None:
    loop = stream(
        HEAD.replace("at_least: 0}", "at_least: {is: 0, on_violation: drop}, at_most: {is: 9, on_violation: warn}}")
        + WINDOW
        + SINK
    )
    batch = rows(("00:00:00", "a", -1), ("00:00:01", "a", 10), ("00:00:02", "a", 5)).set_column(
        0, "at", pa.array([at("00:00:00"), at("00:00:01"), None], pa.timestamp("us"))
    )
    judged = loop.take("events", "0", batch)
    assert (judged.read, judged.good, judged.quarantined, judged.dropped) == (3, 1, 1, 1)
    assert {count.rule: count.rows for count in judged.rules} == {"at.required": 1, "n.at_least": 1, "n.at_most": 1}
    assert judged.held is not None
    assert judged.held.to_pylist() == [
        {"position": "0", "reasons": ["n.at_least"], "action": "drop", "raw": '{"at":"2024-01-01 00:00:00","k":"a","n":-1}'},
        {"position": "1", "reasons": ["n.at_most"], "action": "warn", "raw": '{"at":"2024-01-01 00:00:01","k":"a","n":10}'},
        {"position": "2", "reasons": ["at.required"], "action": "quarantine", "raw": '{"at":null,"k":"a","n":5}'},
    ]
    assert judged.highest == 1_704_067_201_000_000


NAMES = columns(key=String(), name=String())
LOOKUP = HEAD.replace(
    "steps:",
    "  names:\n    file: names.parquet\n    contract: {columns: {key: {type: string, required: true}, name: string}}\nsteps:",
)


def names(known: dict[str, str]) -> ArrowScan:
    """Reference data that may be other ones the next time."""

    def read() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict(
            {"key": list(known), "name": list(known.values())}, pa.schema({"key": pa.string(), "name": pa.string()})
        )

    return ArrowScan(NAMES, open=read)


def test_rows_are_looked_up_as_they_come_and_anew_after_a_refresh(stream: Running) -> None:
    text = LOOKUP + "  - lookup: {with: names, on: {k: key}, take: [name]}\n" + SINK
    known = {"a": "Anna"}
    loop = stream(text, names=names(known))
    loop.take("events", "0", rows(("00:00:00", "a", 1), ("00:00:00", "b", 2)))
    known |= {"a": "Anne", "b": "Bert"}
    loop.take("events", "0", rows(("00:00:00", "b", 3)))
    loop.session.refresh()
    loop.take("events", "0", rows(("00:00:00", "a", 4), ("00:00:00", "b", 5)))
    loop.drain()
    assert [(n, name) for _, _, n, name in loop.given["lookup"]] == [
        (1, "Anna"),
        (2, None),
        (3, None),
        (4, "Anne"),
        (5, "Bert"),
    ]
    known["c"] = "Carl"


def test_references_to_what_stands_still_hold_rows_back(stream: Running) -> None:
    text = LOOKUP.replace("k: string", "k: {type: string, references: names.key}") + WINDOW + SINK
    loop = stream(text, names=names({"a": "Anna"}))
    batch = rows(*((f"00:00:0{i}", key, i) for i, key in enumerate(["a", "b", None, "a", "c", "a"])))
    judged = loop.take("events", "0", batch)
    assert (judged.good, judged.quarantined) == (4, 2)
    assert judged.held is not None
    assert [(row["position"], row["reasons"]) for row in judged.held.to_pylist()] == [
        ("1", ["k.references"]),
        ("4", ["k.references"]),
    ]
    loop.end()
    assert sorted(loop.given["totals"], key=repr) == [
        window("00:00:00", "00:00:10", "a", 3, 8),
        window("00:00:00", "00:00:10", None, 1, 2),
    ]


def test_running_totals_are_given_out_when_they_change(stream: Running) -> None:
    loop = stream(
        HEAD + "  - aggregate: {by: [k], measures: {rows: count(*), sum: sum(n)}, emit: change}\n    name: totals\n" + SINK
    )
    loop.take("events", "0", rows(("00:00:00", "a", 1), ("00:00:00", "b", 2)))
    loop.checkpoint(whole=True)
    loop.take("events", "0", rows(("00:00:01", "a", 4)))
    loop.take("events", "0", rows(("00:00:02", "a", 8)))
    loop.checkpoint(whole=False)
    loop.restart()
    loop.drain()
    *first, last = loop.given["totals"]
    assert (sorted(first), last) == ([("a", 1, 1), ("b", 1, 2)], ("a", 3, 13))


def test_different_values_are_counted_about_across_batches_and_restarts(stream: Running) -> None:
    measures = "different: approx_count_distinct(n), some: approx_count_distinct(n) filter (where n < 100), none: approx_count_distinct(k)"
    loop = stream(HEAD + f"  - aggregate: {{measures: {{{measures}}}, emit: change}}\n    name: totals\n" + SINK)
    for begin in (0, 2000, 4000, 1000):
        loop.take("events", "0", rows(*(("00:00:00", None, n) for n in range(begin, begin + 3000))))
        loop.checkpoint(whole=begin == 0)
        loop.restart()
    different, some, none = loop.given["totals"][-1]
    assert different == pytest.approx(7000, rel=0.05)
    assert some == pytest.approx(100, rel=0.05)
    assert none == 0
    assert loop.session.measures()["totals"]["rows"] == 4


def test_sessions_that_became_part_of_another_are_given_out_once_more_without_length(stream: Running) -> None:
    text = HEAD + WINDOW.replace("tumbling: 10s", "session: 3s").replace("measures", "emit: change, measures") + SINK
    loop = stream(text)
    loop.take("events", "0", rows(("00:00:01", "a", 1), ("00:00:05", "a", 2), ("00:00:05", "b", 4)))
    loop.checkpoint(whole=True)
    assert sorted(loop.given.pop("totals")) == [
        window("00:00:01", "00:00:04", "a", 1, 1),
        window("00:00:05", "00:00:08", "a", 1, 2),
        window("00:00:05", "00:00:08", "b", 1, 4),
    ]
    loop.restart()
    loop.take("events", "1", rows(("00:00:03", "a", 8)))
    loop.checkpoint(whole=False)
    assert sorted(loop.given.pop("totals"), key=str) == [
        window("00:00:01", "00:00:08", "a", 3, 11),
        window("00:00:05", "00:00:05", "a", 0, None),
    ]


def test_sketches_keep_their_bounds_across_batches_and_restarts(stream: Running) -> None:
    """Quantiles of a hundred thousand numbers and the most frequent of many more values than a sketch has counters."""
    measures = "low: 'approx_quantile(n, 0.1)', high: 'approx_quantile(n, 0.99)', often: 'approx_top_k(n % 5000, 3)', none: 'approx_top_k(k, 2)'"
    loop = stream(HEAD + f"  - aggregate: {{measures: {{{measures}}}, emit: change}}\n    name: totals\n" + SINK)
    chance = random.Random(1)
    numbers = [chance.randrange(1_000_000) for _ in range(20_000)] + [5_000, 5_000, 5_001] * 400
    chance.shuffle(numbers)
    for begin in range(0, len(numbers), 5_000):
        loop.take("events", "0", rows(*(("00:00:00", None, n) for n in numbers[begin : begin + 5_000])))
        loop.checkpoint(whole=begin == 0)
        loop.restart()
    low, high, often, none = loop.given["totals"][-1]
    ranks = [sum(n <= found for n in numbers) / len(numbers) for found in (low, high)]
    assert ranks == [pytest.approx(0.1, abs=0.0068), pytest.approx(0.99, abs=0.0068)]
    assert often[:2] == [0, 1]
    assert none is None


def test_both_says_which_rows_are_final(stream: Running) -> None:
    loop = stream(HEAD + WINDOW.replace("measures", "emit: both, measures") + SINK)
    loop.take("events", "0", rows(("00:00:00", "a", 1)))
    loop.drain()
    loop.drain()
    loop.take("events", "0", rows(("00:00:01", "a", 2), ("00:00:13", "a", 4)))
    loop.advance(PARTITIONS)
    loop.drain()
    assert [(*row[3:],) for row in loop.given["totals"]] == [(1, 1, False), (2, 3, True), (1, 4, False)]


def test_the_last_change_of_a_window_is_given_out_as_it_closes(stream: Running) -> None:
    loop = stream(HEAD + WINDOW.replace("measures", "emit: change, measures") + SINK)
    loop.take("events", "0", rows(("00:00:00", "a", 1), ("00:00:13", "a", 4)))
    loop.advance(PARTITIONS)
    loop.drain()
    loop.end()
    assert sorted(loop.given["totals"]) == [
        window("00:00:00", "00:00:10", "a", 1, 1),
        window("00:00:10", "00:00:20", "a", 1, 4),
    ]


def test_state_of_another_step_is_refused(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    loop.take("events", "0", rows(("00:00:00", "a", 1)))
    loop.checkpoint(whole=True)
    other = stream(HEAD + WINDOW.replace("10s", "20s") + SINK)
    with pytest.raises(NonRetryableError, match="`totals` has changed"):
        other.session.restore(loop.saved)
    compatible = stream(
        HEAD + WINDOW.replace("sum: sum(n)", "sum: sum(n) + 1").replace("measures", "lateness: 1s, measures") + SINK
    )
    compatible.session.restore(loop.saved)
    compatible.session.advance(int(1e18))
    compatible.drain()
    assert compatible.given["totals"] == [window("00:00:00", "00:00:10", "a", 1, 2)]


def test_state_and_its_size_can_be_looked_at(stream: Running) -> None:
    loop = stream(HEAD + WINDOW + SINK)
    loop.take("events", "0", rows(("00:00:00", "a", 1), ("00:00:00", "b", 1)))
    loop.take("events", "0", rows(("00:00:00", "a", 1)))
    assert sorted(r["rows"] for r in loop.session.state()["totals"].to_pylist()) == [1, 2]
    assert loop.session.measures()["totals"]["rows"] == 3


CHANGING = """  - aggregate: {window: {tumbling: 1s}, measures: {n: count(*)}, emit: change}
  - aggregate: {window: {tumbling: 5s, on: window_end}, measures: {n: count(*)}}
"""
REFUSED: Sequence[tuple[str, str]] = [
    ("  - aggregate: {by: [k], measures: {n: count(*)}}\n", "groups of a stream have no end"),
    ("  - dedupe: {key: [k]}\n", "rows with the same key may come at any time"),
    ("  - sort: n\n", "a stream has no end to be sorted up to"),
    ("  - limit: 10\n", "a stream would be over then"),
    ("  - window: {order_by: at, columns: {next: lead(n)}}\n", "a window function looks at rows that may come later"),
    ("  - derive: {late: at + to_days(1)}\n  - aggregate: {window: {tumbling: 1s, on: late}, measures: {n: count(*)}}\n", "nothing says how late rows may come by `late`"),
    ("  - aggregate: {by: [k], measures: {n: median(n)}, emit: change}\n", "`median` needs all rows at once"),
    (CHANGING, "gives out rows that are not final"),
    ("  - join: {with: events, on: [k], suffix: _2}\n", "a partner of a row may come at any time"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "reason"), REFUSED)
def test_a_plan_says_what_a_stream_cannot_compute(steps: str, reason: str) -> None:
    problems = Flow.of(plan(HEAD + steps + SINK, events=messages(SCHEMA))).problems
    assert [reason in problem.message for problem in problems] == [True], problems
    assert problems[0].hint
    assert problems[0].path[:1] == ("steps",)


def test_a_plan_says_that_keys_are_not_remembered_for_ever() -> None:
    text = HEAD.replace("k: string", "k: {type: string, unique: true}") + WINDOW + SINK
    (problem,) = Flow.of(plan(text, events=messages(SCHEMA))).problems
    assert problem.path == ("sources", "events", "contract", "columns", "k", "unique")
    assert "dedupe" in (problem.hint or "")
