"""How many events a second of processor time the session of a stream takes: judged by eight rules, counted and averaged by key in windows of
ten seconds. Rows come as text, as NDJSON blocks give them, or typed, as Arrow blocks do; or as such
blocks, which are read then. Nothing here commits.

    python bench/stream_session.py [--events 2000000] [--batch 20000] [--threads 2]
    python bench/stream_session.py --latency    # 2,000 events a second in windows of one second: from the last row to the window's result
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headrace.business.engine import Limits
from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String, Timestamp
from headrace.business.ports import Position
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.streams.engine import Arrived, Judged, StreamSession
from headrace.business.streams.messages import Messages, MessageScan
from headrace.business.streams.watermarks import Watermarks
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine
from headrace.infrastructure.formats.messages.arrow import ArrowMessages
from headrace.infrastructure.formats.messages.json import NdjsonMessages
from headrace.infrastructure.loader import load_text

DEFINITION = """
pipeline: bench
sources:
  events:
    file: events.parquet
    contract:
      columns:
        id: {type: int64, required: true}
        at: {type: timestamp, required: true}
        device: {type: string, required: true, matches: 'd[0-9]+'}
        kind: {type: string, in: [view, click, buy]}
        amount: {type: float64, at_least: 0, at_most: 1000}
        note: string
    watermark: {column: at, delay: 2 seconds}
steps:
  - aggregate: {window: {tumbling: %s}, by: [device], measures: {events: count(*), mean: avg(amount)}}
sinks:
  - file: {path: out/, mode: append}
"""
TYPED = {
    "id": pa.int64(),
    "at": pa.timestamp("us"),
    "device": pa.string(),
    "kind": pa.string(),
    "amount": pa.float64(),
    "note": pa.string(),
}
SCHEMAS = {
    "text": Schema.of(**dict.fromkeys(TYPED, String())),
    "typed": Schema.of(id=Integer(64), at=Timestamp(), device=String(), kind=String(), amount=Float(64), note=String()),
}
BEGIN, KEYS, PER_BLOCK = 1_704_067_200_000_000, 1000, 5_000


def planned(kind: str, window: str) -> Plan:
    definition = load_text(DEFINITION % window, "bench.yaml", catalog=Catalog(), env={}).definition
    return build_plan(definition, {"events": Resolved(MessageScan(SCHEMAS[kind]))})


def events(number: int, per_second: int) -> pa.Table:
    """Events in the order of time, but for 0.4 seconds; some devices are heard of more than others; one in ten thousand is broken."""
    chance = random.Random(7)
    times = [BEGIN + i * 1_000_000 // per_second + chance.randint(-400_000, 400_000) for i in range(number)]
    return pa.table(
        [
            pa.array(range(number), pa.int64()),
            pa.array(times, pa.int64()).cast(pa.timestamp("us")),
            [f"d{int(KEYS * chance.random() ** 2)}" for _ in range(number)],
            chance.choices(["view", "click", "buy", "sell"], [7000, 2000, 999, 1], k=number),
            [round(chance.random() * 1000, 2) for _ in range(number)],
            ["x" * 80] * number,
        ],
        schema=pa.schema(TYPED),
    )


def as_text(table: pa.Table) -> pa.Table:
    return pa.table([pc.cast(column, pa.string()) for column in table.columns], names=table.column_names)


def cut(table: pa.Table, size: int) -> Iterator[pa.RecordBatch]:
    yield from table.combine_chunks().to_batches(max_chunksize=size)


def opened(kind: str, threads: int | None, folder: str, window: str) -> StreamSession:
    return DuckDBEngine(Limits(threads=threads)).stream(planned(kind, window), Path(folder, "a", "b", "c"), Path(folder))


def _take(session: StreamSession, arrived: Arrived) -> Judged:
    worked = session.work(arrived)
    session.take_in(worked)
    return worked.judged


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def throughput(kind: str, table: pa.Table, batch: int, threads: int | None) -> None:
    batches = list(cut(table, batch))
    positions = [pa.array(range(len(rows))) for rows in batches]
    with tempfile.TemporaryDirectory() as folder:
        session, marks = opened(kind, threads, folder, "10 seconds"), Watermarks(2_000_000)
        _take(session, Arrived("events", "warm", batches[0].slice(0, 10), positions[0].slice(0, 10), None, None))
        session.drain()
        given, state = 0, 0
        begun, used = time.perf_counter(), processor_seconds()
        for i, rows in enumerate(batches):
            judged = _take(session, Arrived("events", "0", rows, positions[i], marks.own("0"), marks.horizon))
            marks.observe("0", judged.highest)
            if (horizon := marks.advance(["0"], ())) is not None:
                session.advance(horizon)
            if i % 5 == 4:
                given += sum(map(len, session.drain().values()))
                state += sum(map(len, session.changes().parts.values()))
        spent, wall = processor_seconds() - used, time.perf_counter() - begun
        session.close()
    print(
        f"{kind:6} batches of {batch:6}: {len(table) / spent / 1e6:6.3f} M events per CPU second, {len(table) / wall / 1e6:6.3f} M per second"
        f" ({given} results, {state / 1e6:.1f} MB of checkpoints)"
    )


def blocks(kind: str, table: pa.Table, batch: int, threads: int | None) -> None:
    """From blocks in memory to windows: read, judged, counted. One figure for all of it. So many rows are read at once as a poll gathers:
    32 MB at the most."""
    written = [_lines(part) if kind == "ndjson" else _arrow(part) for part in cut(table, min(batch, PER_BLOCK))]
    shape, at_once = "text" if kind == "ndjson" else "typed", max(1, batch // PER_BLOCK)
    reader = (NdjsonMessages() if kind == "ndjson" else ArrowMessages()).reader(SCHEMAS[shape], Path())
    polls = [
        Messages("0", pa.array(some, pa.binary()), pa.array(range(i, i + len(some))), Position(str(i + len(some) - 1)))
        for i in range(0, len(written), at_once)
        if (some := written[i : i + at_once])
    ]
    with tempfile.TemporaryDirectory() as folder:
        session, marks = opened(shape, threads, folder, "10 seconds"), Watermarks(2_000_000)
        used, read = 0.0, 0
        for i, messages in enumerate(polls):
            if i == 1:  # with the first one, statements are prepared
                used = processor_seconds()
            decoded = reader.read(messages)
            positions = messages.positions.take(decoded.origins)
            judged = _take(session, Arrived("events", "0", decoded.rows, positions, marks.own("0"), marks.horizon))
            marks.observe("0", judged.highest)
            if (horizon := marks.advance(["0"], ())) is not None:
                session.advance(horizon)
            if i % 5 == 4:
                session.drain()
                session.changes()
            read += judged.read if i else 0
        spent = processor_seconds() - used
        session.close()
    assert read == len(table) - batch
    print(f"{kind:6} blocks, {batch:6} rows at once: {read / spent / 1e6:6.3f} M events per CPU second, read and worked in")


def _lines(rows: pa.RecordBatch) -> bytes:
    texts = (json.dumps({**row, "at": row["at"].isoformat()}) for row in rows.to_pylist())
    return "\n".join(texts).encode()


def _arrow(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def latency(threads: int | None, seconds: int = 15, rate: int = 2000) -> None:
    """Every ten milliseconds the events of that time, in order; from the arrival of the event that closes a window to the result."""
    table = as_text(events(seconds * rate, rate).sort_by("at"))
    found: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        session, marks = opened("text", threads, folder, "1 second"), Watermarks(0)
        begun = time.perf_counter()
        for i, rows in enumerate(cut(table, rate // 100)):
            time.sleep(max(0.0, begun + i / 100 - time.perf_counter()))
            came = time.perf_counter()
            judged = _take(session, Arrived("events", "0", rows, pa.array(range(len(rows))), marks.own("0"), marks.horizon))
            marks.observe("0", judged.highest)
            if (horizon := marks.advance(["0"], ())) is not None:
                session.advance(horizon)
            if any(len(rows) for rows in session.drain().values()):
                found.append((time.perf_counter() - came) * 1000)
        session.close()
    found.sort()
    print(
        f"windows closed: {len(found)}; milliseconds p50 {found[len(found) // 2]:.1f}, p99 {found[int(len(found) * 0.99)]:.1f}"
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--batch", type=int, nargs="*", default=[1000, 20_000, 150_000])
    options.add_argument("--threads", type=int)
    options.add_argument("--latency", action="store_true")
    given = options.parse_args()
    if given.latency:
        latency(given.threads)
        return
    table = events(given.events, 20_000)
    for batch in given.batch:
        throughput("text", as_text(table), batch, given.threads)
        throughput("typed", table, batch, given.threads)
        blocks("ndjson", table, batch, given.threads)
        blocks("arrow", table, batch, given.threads)


if __name__ == "__main__":
    main()
