"""DuckDB and SQLite files as targets: who else has them open, what they cannot store, and their indexes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from tests.conformance.sinks.targets import checkpoint, row, stage

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.duckdb_sink import DuckDBSink
from headrace.infrastructure.connectors.sqlite_sink import SQLiteSink

HOLDER = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_a_duckdb_file_that_another_process_has_open_is_told_with_who(tmp_path: Path) -> None:
    path = tmp_path / "out.duckdb"
    sink, staged = DuckDBSink(path="out.duckdb", table="t"), stage(tmp_path / "a", [row(1)])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(RetryableError, match=str(holder.pid)) as caught:
            sink.publish(tmp_path, staged, checkpoint("a"))
        assert "close what has it open" in str(caught.value.hint)
        holder.communicate("")
    assert sink.publish(tmp_path, staged, checkpoint("a")).inserted == 1


def test_a_duckdb_file_that_this_process_has_open_is_told_too(tmp_path: Path) -> None:
    sink, staged = DuckDBSink(path="out.duckdb", table="t"), stage(tmp_path / "a", [row(1)])
    with duckdb.connect(str(tmp_path / "out.duckdb")), pytest.raises(RetryableError, match="cannot be opened now"):
        sink.publish(tmp_path, staged, checkpoint("a"))


@pytest.mark.parametrize("sink", [DuckDBSink(path="out.db", table="t"), SQLiteSink(path="out.db", table="t")])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, sink: DuckDBSink | SQLiteSink) -> None:
    (tmp_path / "out.db").write_text("a letter, and not a database at all" * 100)
    with pytest.raises(NonRetryableError, match="not a"):
        sink.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert (tmp_path / "out.db").read_text().startswith("a letter")


def test_a_busy_sqlite_file_is_tried_again(tmp_path: Path) -> None:
    sink, staged = SQLiteSink(path="out.db", table="t", busy_seconds=0), stage(tmp_path / "a", [row(1)])
    sink.publish(tmp_path, staged, checkpoint("a"))
    with closing(sqlite3.connect(tmp_path / "out.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RetryableError, match="locked"):
            sink.publish(tmp_path, staged, checkpoint("b"))
        other.execute("ROLLBACK")
    assert sink.publish(tmp_path, staged, checkpoint("b")).deleted == 1


def test_nan_is_refused_by_sqlite_and_not_made_null(tmp_path: Path) -> None:
    rows = [(*row(1)[:4], "nan", *row(1)[5:]), row(2)]
    with pytest.raises(NonRetryableError, match="`ratio` is NaN in 1 rows"):
        SQLiteSink(path="out.db", table="t").publish(tmp_path, stage(tmp_path / "a", rows), checkpoint("a"))
    assert not (tmp_path / "out.db").exists()


def test_sqlite_keeps_what_its_types_would_lose(tmp_path: Path) -> None:
    SQLiteSink(path="out.db", table="t").publish(
        tmp_path, stage(tmp_path / "a", [row(1, "x", "1234567890123.10")]), checkpoint("a")
    )
    with closing(sqlite3.connect(tmp_path / "out.db")) as con:
        found = con.execute("SELECT id, amount, day, seen, good, typeof(amount) FROM t").fetchone()
        kept = con.execute("SELECT date(day, '+1 day'), unixepoch(seen) FROM t").fetchone()
    assert found == (1, "1234567890123.10", "2013-11-03", "2013-11-03 06:30:00.001000+00:00", 0, "text")
    assert kept == ("2013-11-04", 1383460200)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_journal_of_an_existing_sqlite_file_stays(tmp_path: Path, journal: str) -> None:
    with closing(sqlite3.connect(tmp_path / "out.db")) as con:
        con.execute(f"PRAGMA journal_mode = {journal}")
        con.execute("CREATE TABLE mine (x)")
    SQLiteSink(path="out.db", table="t").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    with closing(sqlite3.connect(tmp_path / "out.db")) as con:
        assert con.execute("PRAGMA journal_mode").fetchone() == (journal,)
        assert con.execute("SELECT count(*) FROM mine").fetchone() == (0,)


def test_indexes_are_there_where_they_were_asked_for(tmp_path: Path) -> None:
    indexes = (("name",), ("part", "day"))
    for _ in range(2):
        for name, mode in (("a", "append"), ("b", "append")):
            staged = stage(tmp_path / name / mode, [row(1)]) if not (tmp_path / name / mode).exists() else None
            if staged:
                DuckDBSink(path="out.duckdb", table="s.t", mode="append", indexes=indexes).publish(
                    tmp_path, staged, checkpoint(name)
                )
                SQLiteSink(path="out.sqlite", table="t", mode="append", indexes=indexes).publish(
                    tmp_path, staged, checkpoint(name)
                )
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as con:
        found = con.execute("SELECT expressions FROM duckdb_indexes() WHERE table_name = 't' ORDER BY 1").fetchall()
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as lite:
        names = lite.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
    assert len(found) == len(names) == 2


def test_two_tables_of_a_file_have_ledgers_of_their_own(tmp_path: Path) -> None:
    staged = stage(tmp_path / "a", [row(1)])
    for kind, path in ((DuckDBSink, "out.duckdb"), (SQLiteSink, "out.sqlite")):
        first, second = kind(path=path, table="first", mode="append"), kind(path=path, table="second", mode="append")
        first.publish(tmp_path, staged, checkpoint("a"))
        assert second.ledger(tmp_path) == ()
        assert not second.publish(tmp_path, staged, checkpoint("a")).already
        assert first.publish(tmp_path, staged, checkpoint("a")).already


def test_a_table_that_was_dropped_is_filled_again(tmp_path: Path) -> None:
    """The ledger tells of rows; without their table it tells of nothing."""
    staged = stage(tmp_path / "a", [row(1)])
    lite, duck = (
        SQLiteSink(path="out.sqlite", table="t", mode="append"),
        DuckDBSink(path="out.duckdb", table="t", mode="append"),
    )
    for sink in (lite, duck):
        sink.publish(tmp_path, staged, checkpoint("a"))
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as con:
        con.execute("DROP TABLE t")
    with duckdb.connect(str(tmp_path / "out.duckdb")) as other:
        other.execute("DROP TABLE t")
    for sink in (lite, duck):
        assert list(sink.ledger(tmp_path)) == []
        assert not sink.publish(tmp_path, staged, checkpoint("a")).already
        assert len(sink.ledger(tmp_path)) == 1
