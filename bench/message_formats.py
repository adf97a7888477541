"""Messages into Arrow and back: our readers and writers of each format, against pyarrow, Polars, orjson and fastavro on the same bytes.

    python bench/message_formats.py [--rows 200000] [--rounds 5]

One process, no threads beside. A reader is given 50,000 messages at a time, or blocks of 500 rows, a hundred at a time. What counts is CPU
time; `reads` and `writes` are millions of rows in a second of it, the median of all rounds.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"

import fastavro
import orjson
import polars
import pyarrow as pa
import pyarrow.json

from headrace.business.model.schema import Schema
from headrace.business.model.types import Decimal, Integer, String, Timestamp
from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.infrastructure.formats.message_formats import message_format
from headrace.infrastructure.formats.messages.avro_writing import schema_of
from measure import BENCH, keep, table

SCHEMA = Schema.of(
    id=Integer(64),
    user=String(),
    kind=String(),
    amount=Decimal(10, 2),
    at=Timestamp(zone=True),
    country=String(),
    note=String(),
)
TYPED = pa.schema(
    {
        "id": pa.int64(), "user": pa.string(), "kind": pa.string(), "amount": pa.decimal128(10, 2), "at": pa.timestamp("us", "UTC"),
        "country": pa.string(), "note": pa.string(),
    }
)  # fmt: skip
AT_ONCE, BLOCK = 50_000, 500
HOME = BENCH / "data"


def rows(count: int) -> pa.RecordBatch:
    """Events of about 200 bytes as JSON, with seven fields."""
    numbers = range(count)
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(numbers, pa.int64()),
            "user": pa.array([f"user-{n * 7919 % 1_000_000:06}" for n in numbers]),
            "kind": pa.array([("click", "view", "purchase")[n % 3] for n in numbers]),
            "amount": pa.array([n * 104_729 % 100_000 for n in numbers]).cast(pa.decimal128(21, 2)).cast(pa.decimal128(10, 2)),
            "at": pa.array([1_357_000_000_000_000 + n * 1000 for n in numbers]).cast(pa.timestamp("us", "UTC")),
            "country": pa.array([("DE", "US", "FR")[n % 3] for n in numbers]),
            "note": pa.array(["x" * 60] * count),
        }
    )


def formats() -> dict[str, Any]:
    """By the words of the table: the formats, with options."""
    (HOME / "event.avsc").write_text(json.dumps(schema_of(SCHEMA, "event")))
    return {
        "json": "json", "ndjson, 500 rows": {"ndjson": {"rows": BLOCK}}, "csv": "csv", "csv, 500 rows": {"csv": {"rows": BLOCK}},
        "avro": {"avro": {"schema": "event.avsc"}}, "arrow, 500 rows": {"arrow": {"rows": BLOCK}},
        "parquet, 500 rows": {"parquet": {"rows": BLOCK}},
    }  # fmt: skip


def read_by(written: Any, bodies: pa.Array) -> Callable[[], int]:
    format_ = message_format(written)
    reader = format_.reader(format_.scan(SCHEMA, HOME).schema, HOME)
    step = AT_ONCE if len(bodies) > AT_ONCE // 2 else AT_ONCE // BLOCK
    polls = [
        Messages("0", part, pa.nulls(len(part), pa.int64()), Position("0"))
        for part in (bodies.slice(at, step) for at in range(0, len(bodies), step))
    ]
    return lambda: sum(reader.read(messages).rows.num_rows for messages in polls)


def peers(lines: list[bytes], avros: list[bytes]) -> dict[str, Callable[[], int]]:
    """What others make of the same bytes: those that parse a buffer are handed it as one block."""
    joined, schema = b"\n".join(lines) + b"\n", fastavro.parse_schema(schema_of(SCHEMA, "event"))
    texts = (
        pa.schema([(name, pa.string()) for name in SCHEMA.names])
        .set(0, pa.field("id", pa.int64()))
        .set(3, pa.field("amount", pa.float64()))
    )
    options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(joined) + 1)
    explicit = pyarrow.json.ParseOptions(explicit_schema=texts, unexpected_field_behavior="error")

    def one_by_one() -> int:
        found = [fastavro.schemaless_reader(io.BytesIO(body), schema, None) for body in avros]
        return pa.RecordBatch.from_pylist(found, schema=TYPED).num_rows

    return {
        "pyarrow.json": lambda: pyarrow.json.read_json(pa.BufferReader(joined), options, explicit).num_rows,
        "polars.read_ndjson": lambda: (
            polars.read_ndjson(io.BytesIO(joined), schema=dict.fromkeys(SCHEMA.names, polars.String)).height
        ),
        "orjson.loads, no Arrow": lambda: len([orjson.loads(line) for line in lines]),
        "fastavro, into Arrow": one_by_one,
    }


def rate(work: Callable[[], int], count: int) -> float:
    """Millions of rows in a second of CPU time."""
    begun = time.process_time()
    assert work() == count
    return count / (time.process_time() - begun) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    given = rows(asked.rows)
    writers = {name: message_format(written).writer(SCHEMA, HOME) for name, written in formats().items()}
    bodies = {name: writer.write(given) for name, writer in writers.items()}
    works = {f"reads {name}": read_by(written, bodies[name]) for name, written in formats().items()}
    works |= {f"reads {name}": work for name, work in peers(bodies["json"].to_pylist(), bodies["avro"].to_pylist()).items()}
    for name, writer in writers.items():
        works[f"writes {name}"] = lambda writer=writer: writer.write(given) and asked.rows  # type: ignore[misc]
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(asked.rounds):
        for name, work in works.items():
            found[name].append(rate(work, asked.rows))
    names = dict.fromkeys(name.partition(" ")[2] for name in works)
    shown = [
        [name, *(f"{median(found[key]):.2f}" if (key := f"{verb} {name}") in found else "" for verb in ("reads", "writes"))]
        for name in names
    ]
    keep("message_formats", {"rows": asked.rows, "rates": found}, table(["format", "reads, M rows/CPU s", "writes"], shown))


if __name__ == "__main__":
    main()
