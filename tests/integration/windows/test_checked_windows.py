"""What checks say of windows hangs on the rows alone: not on how these are cut, nor on when the stream was interrupted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.windows.loop import Loop, columns, messages, plan

from headrace.application.streams.checking import Checking
from headrace.bus.events import QualityCheckEvent
from headrace.business.model.types import Integer, Timestamp

SCHEMA = columns(at=Timestamp(), n=Integer(64))
ARROW = pa.schema([("at", pa.timestamp("us")), ("n", pa.int64())])
BEGIN = datetime.fromisoformat("2024-02-28T23:59:50")
DEFINITION = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract: {columns: {at: {type: timestamp, required: true}, n: int64}}
    watermark: {column: at, delay: 2 seconds}
steps:
  - filter: n < 9
checks:
  - row_count: {min: 1, max: 3, per: 3 seconds, on_fail: warn}
  - rate_anomaly: {per: 2 seconds, windows: 6, on_fail: warn}
  - unique: {columns: n, max: 1, per: 4 seconds, on_fail: warn}
  - expression: {condition: sum(n) < 30, per: 5 seconds, on_fail: warn}
    on: events
sinks:
  - file: {path: out/, mode: append}
"""
Told = list[tuple[str, str, str, str]]


class Audited:
    """A stream whose checks are judged at each checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop(plan(DEFINITION, events=messages(SCHEMA)), folder)
        self.told: Told = []
        self.saved: Any = None
        self._begin()

    def _begin(self) -> None:
        self.checking = Checking("run", self.loop.planned, self.loop.session, self._tell)
        self.checking.restore(self.saved or {})

    def _tell(self, event: QualityCheckEvent) -> None:
        self.told.append((event.check, event.values["window_start"], event.outcome, event.observed))

    def take(self, rows: pa.RecordBatch) -> None:
        self.loop.take("events", "0", rows)
        self.loop.advance({"events": ["0"]})
        self.judge(self.loop.watermarks["events"].horizon)

    def judge(self, horizon: int | None) -> None:
        assert set(self.checking.judge(self.loop.session.drain(), horizon)) == {"filter"}

    def interrupt(self) -> None:
        self.saved = self.checking.saved()
        self.loop.checkpoint(whole=True)
        self.loop.restart()
        self._begin()

    def end(self) -> Told:
        reached = self.loop.watermarks["events"].reached
        self.loop.session.advance(self.loop.watermarks["events"].end() or 0)
        self.judge(reached)
        return sorted(self.told, key=lambda told: told[:2])


def given_in_pieces(rows: list[tuple[int, int]], size: Callable[[], int], interrupted: Callable[[], bool]) -> Told:
    now, placed = 0, []
    for step, n in rows:
        now += step
        placed.append((BEGIN + timedelta(milliseconds=100 * (now - n)), n))
    batch = pa.RecordBatch.from_arrays(
        [pa.array(c, f.type) for c, f in zip(zip(*placed, strict=True), ARROW, strict=True)], schema=ARROW
    )
    with tempfile.TemporaryDirectory() as folder:
        audited = Audited(Path(folder))
        try:
            at = 0
            while at < len(batch):
                audited.take(piece := batch.slice(at, size()))
                at += len(piece)
                if interrupted():
                    audited.interrupt()
            return audited.end()
        finally:
            audited.loop.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.one_of(st.integers(0, 15), st.just(150)), st.integers(0, 12)), min_size=1, max_size=80),
    chance=st.randoms(use_true_random=False),
)
def test_verdicts_do_not_hang_on_batches_and_restarts(rows: list[tuple[int, int]], chance: Any) -> None:
    whole = given_in_pieces(rows, lambda: len(rows), lambda: False)
    assert given_in_pieces(rows, lambda: chance.choice([1, 4, 20]), lambda: chance.random() < 0.2) == whole


def test_windows_without_rows_are_judged_where_rows_stand_before_and_behind_them() -> None:
    rows = [(0, 0), *[(10, 0)] * 30, (200, 0), (10, 0)]
    told = given_in_pieces(rows, lambda: 7, lambda: False)
    counts = [
        (start[17:19], outcome, observed.partition(" from")[0])
        for check, start, outcome, observed in told
        if check == "row_count"
    ]
    assert counts == [("48", "pass", "1 row"), ("21", "fail", "0 rows"), ("39", "pass", "2 rows")], counts
    rates = [(start[17:19], outcome) for check, start, outcome, _ in told if check == "rate_anomaly"]
    assert rates == [("50", "learning"), ("58", "pass"), ("20", "fail"), ("26", "pass"), ("40", "fail")], rates
