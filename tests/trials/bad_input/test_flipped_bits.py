"""A bit that flips on a disk is found, in what comes in and in what is about to be published, and never believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.runs.project import Project

from headrace.errors import NonRetryableError, StagingLost
from headrace.infrastructure.engines.duckdb.session import DuckDBSession
from headrace.infrastructure.formats import parquet_layout
from headrace.infrastructure.formats.parquet_layout import ParquetFile, chunks, number, pages_of

NAMES = [f"name {i % 97}" for i in range(5_000)]
TABLE = pa.table({"n": list(range(5_000)), "name": NAMES, "deep": [{"x": [i, None]} for i in range(5_000)]})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def bodies(path: Path) -> list[tuple[int, int]]:
    """Where the content of each page stands."""
    found = []
    with path.open("rb") as reading:
        file = ParquetFile(reading)
        for chunk in chunks(file.footer()[0]):
            at, stop = pages_of(chunk)
            while at < stop:
                header, length = file.header(at)
                found.append((at + length, number(header, parquet_layout.PAGE_COMPRESSED)))
                at = sum(found[-1])
    return found


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("options", [{}, {"compression": "none", "use_dictionary": False}, {"data_page_version": "2.0"}])
def test_in_every_page_of_a_source(options: dict[str, Any], project: Project) -> None:
    path = project.folder / "in.parquet"
    pq.write_table(TABLE, path, write_page_checksum=True, row_group_size=2_000, **options)
    whole, pages = path.read_bytes(), bodies(path)
    project.one(path="in.parquet", sinks=[{"name": "out", "file": "out.parquet"}])
    for i, (start, size) in enumerate(p for p in pages if p[1]):
        path.write_bytes(whole)
        flip(path, start + (size * 7919 + i) % size, i % 8)
        with pytest.raises(
            NonRetryableError, match=r"in\.parquet` is damaged: in row group \d a page of the column `(n|name|deep)"
        ):
            project.run()
    path.write_bytes(whole)
    assert project.run().state == "succeeded"


def test_a_source_without_checksums_is_read(project: Project) -> None:
    pq.write_table(TABLE, project.folder / "in.parquet")
    run = project.one(path="in.parquet", sinks=[{"name": "out", "file": "out.parquet"}]).run()
    assert run.sources["rows"]["good"] == 5_000


@pytest.mark.parametrize("place", [0.001, 0.5, 0.999])
def test_in_what_is_staged(place: float, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anywhere in it: in a page, in a header, in the footer. The audit has read it by then, so it is the last moment."""
    project.data("in.csv", ["a"], [[n] for n in range(5_000)])
    flip_what_is_staged(monkeypatch, place)
    sinks = [{"name": "out", "file": "out/"}, {"name": "db", "sqlite": {"path": "out.sqlite", "table": "t"}}]
    project.one(sinks=sinks, retry={"attempts": 1})
    with pytest.raises(StagingLost, match="was damaged after it was staged; it is not published"):
        project.run()
    assert not (project.folder / "out").exists()
    assert not (project.folder / "out.sqlite").exists()


def test_what_was_staged_is_made_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.data("in.csv", ["a"], [[n] for n in range(5_000)])
    flip_what_is_staged(monkeypatch, 0.5)
    run = project.one(sinks=[{"name": "out", "file": "out.parquet"}], retry={"base_delay": "1 ms"}).run()
    assert [retry["step"] for retry in run.retries] == ["the run"]
    assert pq.read_table(project.folder / "out.parquet")["a"].to_pylist() == list(range(5_000))


def flip_what_is_staged(monkeypatch: pytest.MonkeyPatch, place: float) -> None:
    """Flip a bit of what lies staged when the first session ends."""
    close, flipped = DuckDBSession.close, list[Path]()

    def close_and_flip(session: DuckDBSession) -> None:
        close(session)
        if not flipped:
            (staged,) = session.workspace.rglob("data.parquet")
            flip(staged, int(staged.stat().st_size * place))
            flipped.append(staged)

    monkeypatch.setattr(DuckDBSession, "close", close_and_flip)


def test_in_a_target_that_is_read_again(project: Project) -> None:
    project.data("in.csv", ["a"], [[n] for n in range(5_000)])
    project.one(sinks=[{"name": "out", "file": "mid.parquet"}]).run()
    path = project.folder / "mid.parquet"
    flip(path, bodies(path)[0][0] + 1)
    project.one(path="mid.parquet", sinks=[{"name": "out", "file": "out.parquet"}])
    with pytest.raises(NonRetryableError, match=r"mid\.parquet` is damaged"):
        project.run()
