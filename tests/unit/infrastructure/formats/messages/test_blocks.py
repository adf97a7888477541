"""Arrow and Parquet in messages: what fits is read, what does not is told of, and damaged blocks harm nobody."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of, told

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Float, Integer, String, Timestamp
from headrace.business.model.types import Decimal as DecimalType
from headrace.infrastructure.formats.message_formats import message_format

BLOCKS = ["arrow", "parquet"]
DECLARED = Schema(
    (
        Column("id", Integer(32)), Column("amount", DecimalType(5, 2)), Column("at", Timestamp(zone=True)), Column("day", Date()),
        Column("share", Float(32)), Column("gone", String()),
    )
)  # fmt: skip


def ipc(rows: pa.RecordBatch, *, file: bool = False) -> bytes:
    sink = pa.BufferOutputStream()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def rows(**columns: Any) -> pa.RecordBatch:
    given = {
        "id": pa.array([1, 2], pa.int64()), "amount": pa.array([1.25, None]), "at": pa.array([1, 2], pa.timestamp("ms", "UTC")),
        "day": pa.array([0, 86400], pa.timestamp("s")), "share": pa.array([0.5, None]), "beside": pa.array(["x", "y"]),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(given | columns)


@pytest.mark.parametrize("file", [True, False])
def test_columns_are_found_by_name_and_cast_without_loss(file: bool) -> None:
    decoded = reader_of("arrow", DECLARED).read(as_messages([ipc(rows(), file=file)] * 2))
    assert decoded.unreadable == []
    assert decoded.rows.schema.names == list(DECLARED.names)
    assert decoded.rows.schema.field("id").type == pa.int32()
    assert decoded.rows.column("amount").to_pylist() == [Decimal("1.25"), None] * 2
    assert decoded.rows.column("gone").null_count == 4
    assert decoded.origins is not None
    assert decoded.origins.to_pylist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("id", pa.array([1, 2**40])),
        ("id", pa.array([1.0, 1.5])),
        ("amount", pa.array([1.25, 1.333])),
        ("amount", pa.array([1, 1000])),
        ("day", pa.array([0, 1], pa.timestamp("s"))),
        ("at", pa.array([1000, 1], pa.timestamp("ns", "UTC"))),
        ("share", pa.array([0.5, 1e300])),
    ],
)
def test_a_row_that_does_not_fit_becomes_a_letter_that_can_be_read_again(column: str, wrong: pa.Array) -> None:
    decoded = reader_of("arrow", DECLARED).read(as_messages([ipc(rows(**{column: wrong})), ipc(rows())]))
    assert decoded.rows.column("id").to_pylist() == [1, 1, 2]
    assert told(decoded) == [(0, "types.unfit")]
    bad = decoded.unreadable[0]
    assert bad.detail.startswith(f"row 2: `{column}`")
    assert bad.part is not None
    with pa.ipc.open_stream(bad.part) as again:
        assert again.read_all().column(column).combine_chunks().equals(wrong.slice(1))


@pytest.mark.parametrize("column", [pa.array(["1", "2"]), pa.array([True, False]), pa.array([[1], [2]])])
def test_a_column_of_another_kind_makes_the_whole_message_unreadable(column: pa.Array) -> None:
    decoded = reader_of("arrow", DECLARED).read(as_messages([ipc(rows(id=column)), ipc(rows())]))
    assert decoded.rows.num_rows == 2
    assert told(decoded) == [(0, "types.unfit")]
    assert decoded.unreadable[0].part is None


@pytest.mark.parametrize("name", BLOCKS)
def test_damaged_blocks_are_told_of_and_harm_nobody(name: str) -> None:
    """Of some hundred blocks with random bytes in them, each comes to rows or to letters."""
    random, reader = Random(20130101), reader_of(name, DECLARED)
    writer = message_format(name).writer(DECLARED, None)
    good = writer.write(reader_of("arrow", DECLARED).read(as_messages([ipc(rows())])).rows).to_pylist()[0]
    bodies = [good]
    for _ in range(300):
        body = bytearray(good)
        for _ in range(random.randint(1, 4)):
            body[random.randrange(len(body))] = random.randrange(256)
        bodies.append(bytes(body[: random.choice([len(body), random.randrange(len(body))])]))
    decoded = reader.read(as_messages([*bodies, None, b"", good]))
    assert decoded.origins is not None
    heard = {*decoded.origins.to_pylist(), *(bad.message for bad in decoded.unreadable)}
    assert {0, 303, *range(301, 303)} <= heard
    assert {0, 303} <= set(decoded.origins.to_pylist())
    assert decoded.rows.column("id").to_pylist()[:2] == [1, 2]


@pytest.mark.parametrize("name", BLOCKS)
def test_rows_are_written_in_blocks_and_read_back(name: str) -> None:
    given = reader_of("arrow", DECLARED).read(as_messages([ipc(rows())] * 5)).rows
    blocks = message_format({name: {"rows": 3}}).writer(DECLARED, None).write(given)
    assert len(blocks) == 4
    decoded = reader_of(name, DECLARED).read(as_messages(blocks.to_pylist()))
    assert decoded.rows == given
    assert decoded.origins is not None
    assert decoded.origins.to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
