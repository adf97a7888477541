"""A stream and a batch of the same definition over the same rows, in memory: the smallest loop that keeps watermarks as ADR 0033 says."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.business.engine import QuarantineTarget
from headrace.business.model.schema import Column, Schema
from headrace.business.ports import ArrowScan, Scan
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.streams.engine import Arrived, Judged, StreamSession
from headrace.business.streams.messages import MessageScan
from headrace.business.streams.state import Saved
from headrace.business.streams.watermarks import Watermarks
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine
from headrace.infrastructure.engines.duckdb.session import DuckDBSession
from headrace.infrastructure.loader import load_text

Row = tuple[Any, ...]


def plan(text: str, **scans: Scan) -> Plan:
    """The plan of a definition whose sources are these scans, whatever it says of them."""
    definition = load_text(textwrap.dedent(text), "f.yaml", catalog=Catalog(), env={}).definition
    return build_plan(definition, {name: Resolved(scan) for name, scan in scans.items()})


def messages(schema: Schema) -> MessageScan:
    return MessageScan(schema)


def stored(schema: Schema, rows: pa.RecordBatch) -> ArrowScan:
    return ArrowScan(schema, open=lambda: iter([rows]))


def in_batch(planned: Plan, folder: Path, *datasets: str) -> dict[str, list[Row]]:
    """The rows of datasets as a batch gives them."""
    engine = DuckDBEngine()
    session = engine.session(planned, folder / "batch", folder)
    assert isinstance(session, DuckDBSession)
    try:
        for source in planned.sources:
            session.ingest(source, QuarantineTarget(folder / "held.parquet", "p", "r"), after=None, progress=lambda _: None)
        session.prepare(lambda _: None)
        return {name: tuples(session.con.arrow_table(session._statement(name))) for name in datasets}
    finally:
        session.close()


def tuples(table: pa.Table) -> list[Row]:
    return [tuple(row.values()) for row in table.to_pylist()]


@dataclass
class Loop:
    """A stream over partitions in memory. What was given out is in `given`, by dataset."""

    planned: Plan
    folder: Path
    given: dict[str, list[Row]] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    session: StreamSession = field(init=False)

    def __post_init__(self) -> None:
        self.session = DuckDBEngine().stream(self.planned, self.folder / "stream", self.folder)
        watermarks = {n: s.watermark for n, s in self.planned.definition.sources.items() if s.watermark}
        self.watermarks = {n: Watermarks(round(w.delay.total_seconds() * 1_000_000)) for n, w in watermarks.items()}
        self.partitions: dict[str, list[str]] = {}
        self.number = 0

    def take(self, source: str, partition: str, rows: pa.RecordBatch) -> Judged:
        known = self.watermarks.get(source)
        positions = pa.array(range(self.number, self.number + len(rows)))
        self.number += len(rows)
        own, horizon = (known.own(partition), known.horizon) if known else (None, None)
        worked = self.session.work(Arrived(source, partition, rows, positions, own, horizon))
        self.session.take_in(worked)
        judged = worked.judged
        if known:
            known.observe(partition, judged.highest)
        self.judged.append(judged)
        return judged

    def advance(self, partitions: Mapping[str, Sequence[str]]) -> None:
        horizons = [known.advance(partitions[name], ()) for name, known in self.watermarks.items()]
        if all(horizon is not None for horizon in horizons):
            self.session.advance(min(h for h in horizons if h is not None))

    def end(self) -> None:
        horizons = [horizon for known in self.watermarks.values() if (horizon := known.end()) is not None]
        if horizons:
            self.session.advance(min(horizons))
        self.drain()

    def drain(self) -> None:
        for name, rows in self.session.drain().items():
            self.given.setdefault(name, []).extend(tuples(rows))

    def checkpoint(self, *, whole: bool) -> None:
        self.drain()
        number, changes = len(self.saved) + 1, self.session.changes(whole=whole)
        self.saved.append(Saved(number, {}, changes.parts, number - changes.reach))

    def restart(self) -> None:
        """Die, and go on behind the last checkpoint."""
        self.session.close()
        self.session = DuckDBEngine().stream(self.planned, self.folder / "stream", self.folder)
        self.session.restore([saved for saved in self.saved if saved.epoch >= self.saved[-1].needs] if self.saved else [])

    def close(self) -> None:
        self.session.close()


def columns(*names: str, **types: Any) -> Schema:
    return Schema(tuple(Column(name, types[name]) for name in (names or types)))


def batches(rows: pa.RecordBatch, sizes: Iterable[int]) -> list[pa.RecordBatch]:
    found, at = [], 0
    for size in sizes:
        if at >= len(rows):
            break
        found.append(rows.slice(at, size))
        at += size
    return found
