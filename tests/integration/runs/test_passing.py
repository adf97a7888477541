"""Rows that nothing judges are written once, as they arrive; what is published is what a judged run would publish."""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.business.engine import HandsOn, QuarantineTarget
from headrace.business.ports import ArrowScan
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.engines.duckdb.passing import Passing
from headrace.infrastructure.engines.duckdb.session import DuckDBSession
from headrace.infrastructure.formats.parquet_checksums import summary
from headrace.infrastructure.formats.parquet_verification import verify_pages
from headrace.infrastructure.formats.parquet_writing import write_parquet
from headrace.testing.sessions import unwatched

ROWS = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int64()),
        "few": pa.array(["a", "a", "ä\U0001f600"]),
        "price": pa.array([Decimal("1.50"), None, Decimal("-99999999.99")], pa.decimal128(10, 2)),
        "wide": pa.array([Decimal(10) ** 37, None, Decimal(-1)], pa.decimal128(38, 0)),
        "day": pa.array([2**31 - 1, None, -(2**31 - 1)], pa.int32()).view(pa.date32()),
        "seen": pa.array([2**63 - 1, 0, None], pa.int64()).view(pa.timestamp("us", "UTC")),
        "clock": pa.array([0, -1, None], pa.int64()).view(pa.timestamp("us")),
        "share": pa.array([float("nan"), -0.0, None]),
        "small": pa.array([1.5, None, float("inf")], pa.float32()),
        "ok": pa.array([True, False, None]),
        "count": pa.array([2**64 - 1, None, 0], pa.uint64()),
        "raw": pa.array([b"\0\xff", b"", None], pa.binary()),
    }
)
ID = ROWS.select(["id"])
JUDGED = {"columns": {"id": {"type": "int64", "at_least": -5}}}


def published(project: Project, given: Any, contract: Any = None, **options: Any) -> Path:
    source: dict[str, Any] = {"python": {"call": given}}
    if contract is not None:
        source["contract"] = contract
    bootstrap.run(bootstrap.build({
        "version": 1, "pipeline": "p", "sources": {"rows": source}, "sinks": [{"name": "out", "file": {"path": "out/", "mode": "replace"}}],
        **options,
    }, {}, project.folder), force=True)  # fmt: skip
    (file,) = (project.folder / "out").glob("*.parquet")
    return file


def told(file: Path) -> tuple[Any, ...]:
    with duckdb.connect() as con:
        columns = [row[:2] for row in con.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()]
        values = ", ".join(f'hash("{name}"), "{name}"::VARCHAR' for name, _ in columns)
        return columns, con.execute(f"SELECT {values} FROM '{file}'").fetchall()


def test_what_is_published_is_what_a_judged_run_publishes(project: Project) -> None:
    judged = told(published(project, lambda: ROWS, JUDGED))
    passed = published(project, lambda: ROWS)
    assert told(passed) == judged
    assert [kind for _, kind in judged[0]] == [
        "BIGINT", "VARCHAR", "DECIMAL(10,2)", "DECIMAL(38,0)", "DATE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "DOUBLE", "FLOAT",
        "BOOLEAN", "UBIGINT", "BLOB",
    ]  # fmt: skip


def test_the_file_is_made_for_its_readers(project: Project) -> None:
    """Each page has a checksum; statistics let readers leave row groups out; what repeats is written once."""
    count = 300_000
    rows = pa.table({"id": range(count), "mode": ["AIR", "RAIL", "SHIP"] * (count // 3)})
    file = published(project, lambda: rows.to_batches(max_chunksize=50_000))
    assert summary(file).has_checksums
    verify_pages(file, ["id", "mode"])
    found = pq.read_metadata(file)
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    assert [group.num_rows for group in groups] == [150_000, 150_000]
    assert [group.column(0).statistics.max for group in groups] == [149_999, count - 1]
    assert ["RLE_DICTIONARY" in groups[0].column(number).encodings for number in (0, 1)] == [False, True]


def test_what_comes_in_other_types_than_the_source_said_is_converted(project: Project) -> None:
    given = [pa.record_batch({"x": pa.array(["a", "b"]).dictionary_encode()})]
    assert told(published(project, lambda: iter(given)))[0] == [("x", "VARCHAR")]


def test_no_rows_are_published_as_none(project: Project) -> None:
    given = {"call": lambda: ROWS.slice(0, 0), "schema": {"id": "int64"}}
    bootstrap.run(bootstrap.build({
        "version": 1, "pipeline": "p", "sources": {"rows": {"python": given}}, "sinks": [{"file": {"path": "out/"}}],
    }, {}, project.folder))  # fmt: skip
    (file,) = (project.folder / "out").glob("*.parquet")
    assert pq.read_metadata(file).num_rows == 0


def test_steps_and_checks_read_what_came_to_rest(project: Project) -> None:
    definition = {
        "version": 1, "pipeline": "p", "sources": {"rows": {"python": lambda: ROWS}},
        "steps": [{"name": "few", "from": "rows", "filter": "id > 1"}],
        "checks": [{"row_count": {"min": 3, "max": 3}, "on": "rows"}, {"row_count": {"min": 1, "max": 1}, "on": "few"}],
        "sinks": [{"name": "all", "from": "rows", "file": {"path": "all/"}}, {"name": "few", "from": "few", "file": {"path": "few/"}}],
    }  # fmt: skip
    assert bootstrap.run(bootstrap.build(definition, {}, project.folder)).state == "succeeded"
    counts = [pq.read_metadata(file).num_rows for name in ("all", "few") for file in (project.folder / name).glob("*.parquet")]
    assert counts == [3, 1]


# What may go wrong ---------------------------------------------------------------------------------------------------


def session_of(project: Project, given: Any) -> tuple[DuckDBSession, Any]:
    definition = {"version": 1, "pipeline": "p", "sources": {"rows": {"python": given}}, "sinks": [{"file": {"path": "out/"}}]}
    plan = bootstrap.plan(bootstrap.build(definition, {}, project.folder))
    session = bootstrap.engine(bootstrap.settings(project.folder)).session(plan, project.folder / "work", project.folder)
    assert isinstance(session, DuckDBSession)
    return session, plan.sources[0]


def ingest(session: DuckDBSession, source: Any, project: Project) -> Any:
    return session.ingest(source, QuarantineTarget(project.folder / "held.parquet", "p", "r"), after=None, progress=unwatched)


def test_a_reading_that_failed_is_begun_again(project: Project) -> None:
    readings: list[int] = []

    def given() -> Iterator[pa.Table]:
        readings.append(len(readings))
        yield ID
        if readings == [0]:
            raise RetryableError("gone for a moment")
        yield ID

    session, source = session_of(project, {"call": given, "schema": {"id": "int64"}})
    try:
        with pytest.raises(RetryableError, match="gone for a moment"):
            ingest(session, source, project)
        assert ingest(session, source, project).good == 2 * ID.num_rows
        staged = session.stage("rows", project.folder / "staged", unwatched)
        assert staged.rows == pq.read_metadata(staged.files[0]).num_rows == 2 * ID.num_rows
    finally:
        session.close()


def test_what_was_not_staged_goes_with_the_session(project: Project) -> None:
    session, source = session_of(project, lambda: ROWS)
    ingest(session, source, project)
    assert [file.suffix for file in (project.folder / "work").iterdir()] == [".parquet"]
    session.close()
    assert list((project.folder / "work").iterdir()) == []


def test_the_digest_is_that_of_the_file(project: Project) -> None:
    session, source = session_of(project, lambda: ROWS)
    try:
        ingest(session, source, project)
        staged = session.stage("rows", project.folder / "staged", unwatched)
        content = staged.files[0].read_bytes()
        (digest,) = staged.digests.values()
        assert (digest.sha256, digest.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    finally:
        session.close()


def test_rows_are_handed_on_from_where_they_came_to_rest(project: Project) -> None:
    session, source = session_of(project, lambda: ROWS)
    taken: list[pa.RecordBatch] = []
    try:
        ingest(session, source, project)
        assert isinstance(session, HandsOn)
        staged = session.stage_handing_on("rows", project.folder / "staged", unwatched, taken.append)
        assert staged.rows == sum(batch.num_rows for batch in taken) == 3
    finally:
        session.close()


def test_it_ends_between_two_batches_when_it_is_interrupted(project: Project) -> None:
    def given() -> Iterator[pa.Table]:
        yield ID
        session.interrupt()
        yield ID
        raise AssertionError("it went on")

    session, source = session_of(project, {"call": given, "schema": {"id": "int64"}})
    try:
        with pytest.raises(KeyboardInterrupt):
            ingest(session, source, project)
    finally:
        session.close()


def test_a_disk_that_is_full_is_told_of() -> None:
    with pytest.raises(RetryableError, match="cannot be written: No space left on device") as caught:
        write_parquet(ROWS.schema, ROWS.to_batches(), Path("/dev/full"), lasting=True)
    assert "disk is not full" in str(caught.value.hint)


def test_a_file_that_nobody_wants_any_more_ends_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": range(200_000)})
        raise RetryableError("gone for a moment")

    with pytest.raises(RetryableError, match="gone"):
        write_parquet(pa.schema({"id": pa.int64()}), broken(), tmp_path / "a.parquet")
    gc.collect()
    assert said == []


def test_batches_that_change_are_refused(project: Project) -> None:
    session, source = session_of(project, {"call": lambda: ID, "schema": {"id": "int64"}})
    session.close()
    scan = ArrowScan(
        source.scan.schema, open=lambda: iter([pa.record_batch({"id": [1]}), pa.record_batch({"id": ["x"]})]), origin="who"
    )
    passing = Passing(source, scan)
    assert passing.begins()
    with pytest.raises(NonRetryableError, match="who: a batch has other columns than the first"):
        passing.written(project.folder / "a.parquet")
