"""Rows that are kept are found by the number of their keys: whatever these are, the pairs and copies are those of a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.windows.loop import Loop, columns, in_batch, messages, plan, stored
from tests.integration.windows.test_agreement import same

from headrace.business.model.types import DataType, Date, Float, Integer, String, Timestamp
from headrace.business.model.types import Decimal as DecimalType
from headrace.infrastructure.foreign_types import arrow_type

BEGIN = datetime.fromisoformat("2024-05-01")
DAYS = [BEGIN.date() + timedelta(days=n) for n in range(6)]
KEYS: dict[str, tuple[tuple[DataType, list[Any]], tuple[DataType, list[Any]]]] = {
    "text": ((String(), ["a", "", "A", "a ", "ä"]), (String(), ["a", "a ", "", "ä", "a\0"])),
    "numbers of other widths": ((Integer(16), [1, -1, 0, 300]), (Integer(64), [1, 0, 1 << 40, -1])),
    "nothing, and less than nothing": ((Float(64), [0.0, -0.0, 1.5, float("inf")]), (Float(64), [-0.0, 0.0, float("inf"), 2.0])),
    "floats of other widths": ((Float(32), [0.5, 0.1, -0.0]), (Float(64), [0.5, 0.1, 0.0])),
    "decimals of other scales": (
        (DecimalType(6, 2), [Decimal("1.50"), Decimal("2.00"), Decimal("3.25"), Decimal("4.00"), Decimal("-5.10")]),
        (DecimalType(12, 4), [Decimal("1.5000"), Decimal("2.0001"), Decimal("3.2500"), Decimal("4.0000"), Decimal("-5.1000")]),
    ),
    "days and moments": (
        (Date(), DAYS),
        (Timestamp(), [datetime.combine(day, datetime.min.time()) + timedelta(hours=12 * (n % 2)) for n, day in enumerate(DAYS)]),
    ),
    "instants": (
        (Timestamp(zone=True), [BEGIN.replace(tzinfo=UTC), BEGIN.replace(tzinfo=UTC) + timedelta(microseconds=1)]),
        (Timestamp(zone=True), [BEGIN.replace(tzinfo=UTC)]),
    ),
}  # fmt: skip
DEFINITION = """
pipeline: p
sources:
  events:
    file: events.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: OURS, n: int64}}
    watermark: {column: at, delay: 3 seconds}
  others:
    file: others.parquet
    contract: {columns: {at: {type: timestamp, required: true}, k: THEIRS, n: int64}}
    watermark: {column: at, delay: 3 seconds}
steps:
  - {name: by_column, from: events, join: {with: others, on: [k], suffix: _other, within: 1 hour}}
  - {name: by_condition, from: events, join: {with: others, on: k = k_other and n <= n_other + 9, suffix: _other, within: 1 hour}}
  - {name: or_alone, from: events, join: {with: others, on: [k], suffix: _other, within: 1 hour, how: left}}
  - {name: once, from: others, dedupe: {key: k, within: 1 hour}}
sinks:
  - {from: by_column, file: {path: columns/, mode: append}}
  - {from: by_condition, file: {path: conditions/, mode: append}}
  - {from: or_alone, file: {path: alone/, mode: append}}
  - {from: once, file: {path: once/, mode: append}}
"""
MADE = ("by_column", "by_condition", "or_alone", "once")


@pytest.mark.parametrize("kind", KEYS)
def test_pairs_and_copies_are_found_whatever_the_keys_are(kind: str, tmp_path: Path) -> None:
    (ours, left), (theirs, right) = KEYS[kind]
    definition = DEFINITION.replace("OURS", f"'{ours}'").replace("THEIRS", f"'{theirs}'")
    sides = {"events": (columns(at=Timestamp(), k=ours, n=Integer(64)), rows(ours, left)),
             "others": (columns(at=Timestamp(), k=theirs, n=Integer(64)), rows(theirs, right))}  # fmt: skip
    expected = in_batch(plan(definition, **{n: stored(s, r) for n, (s, r) in sides.items()}), tmp_path, *MADE)
    loop = Loop(plan(definition, **{name: messages(schema) for name, (schema, _) in sides.items()}), tmp_path)
    try:
        for begin in range(0, 40, 5):
            for name, (_, rows_) in sides.items():
                loop.take(name, "0", rows_.slice(begin, 5))
            loop.checkpoint(whole=begin == 0)
            if begin == 20:
                loop.restart()
        loop.end()
    finally:
        loop.close()
    for name in MADE:
        assert len(expected[name]) > 1
        assert same(loop.given[name], expected[name])


def rows(kind: DataType, keys: list[Any]) -> pa.RecordBatch:
    """Forty rows, the keys in turn, with a null among them."""
    turn = [*keys, None]
    return pa.RecordBatch.from_pydict(
        {
            "at": pa.array([BEGIN + timedelta(seconds=n) for n in range(40)], pa.timestamp("us")),
            "k": pa.array([turn[n % len(turn)] for n in range(40)], arrow_type(kind)),
            "n": pa.array(range(40), pa.int64()),
        }
    )
