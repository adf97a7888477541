"""A run keeps to the memory and the temporary disk that it may use: it spills, or fails with a word, and never takes more."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.integration.runs.project import Project

from headrace.errors import NonRetryableError, RetryableError

ROWS = 1_000_000


@pytest.fixture
def large(project: Project) -> Project:
    with duckdb.connect() as con:
        out = project.folder / "in.parquet"
        con.execute(f"COPY (SELECT i, hash(i)::VARCHAR || hash(i + 1)::VARCHAR AS s FROM range({ROWS}) t(i)) TO '{out}'")
    return project.define(
        sources={"rows": {"file": {"path": "in.parquet"}}},
        steps=[{"sort": ["s"]}],
        sinks=[{"file": {"path": "out/"}}],
    )


def spilled(folder: Path, memory: str, temp: str) -> None:
    (folder / "headrace.toml").write_text(f'memory_limit = "{memory}"\ntemp_limit = "{temp}"\nthreads = 1\n')


def test_work_that_is_larger_than_memory_spills(large: Project) -> None:
    spilled(large.folder, "100MB", "1GB")
    assert large.run().written == ROWS


def test_work_that_would_spill_more_than_it_may_fails_with_a_word(large: Project) -> None:
    spilled(large.folder, "30MB", "2MB")
    with pytest.raises((NonRetryableError, RetryableError)) as caught:
        large.run()
    assert "headrace.toml" in str(caught.value) or "disk" in str(caught.value)
    assert not (large.folder / "out").exists()
    assert large.store.views.runs()[0].state == "failed"
