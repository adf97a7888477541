"""What DuckDB is lent for leaves nothing behind, and does not open it again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from headrace.infrastructure import duckdb_lending
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.duckdb_lending import lent


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What was opened so far, of which nothing was at first."""
    there: list[Any] = []

    def counted(**settings: Any) -> Any:
        there.append(connect(**settings))
        return there[-1]

    duckdb_lending._kept.clear()
    monkeypatch.setattr(duckdb_lending, "connect", counted)
    yield there
    duckdb_lending._kept.clear()
    for con in there:
        con.close()


def setting(con: Any, name: str) -> Any:
    return con.execute(f"SELECT current_setting('{name}')").fetchone()[0]


def test_it_is_opened_once_and_nothing_is_left_from_one_use_to_the_next(opened: list[Any], tmp_path: Path) -> None:
    names = ("memory_limit", "TimeZone", "temp_directory", "disabled_optimizers")
    with lent() as con:
        before = {name: setting(con, name) for name in names}
    with lent(
        memory_limit="100MB", TimeZone="Asia/Tokyo", temp_directory=str(tmp_path), disabled_optimizers="join_order"
    ) as con:
        assert setting(con, "TimeZone") == "Asia/Tokyo"
        assert setting(con, "memory_limit") == "95.3 MiB"
        con.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS target")
        con.execute("CREATE TABLE target.t AS SELECT 1 AS a")
        con.execute("CREATE TEMP VIEW seen AS SELECT 1")
        con.execute("CREATE TEMP TABLE made AS SELECT 1")
        con.register("given", pa.table({"a": [1]}))
        con.execute("BEGIN")
    with lent() as con:
        assert {name: setting(con, name) for name in names} == before
        for name in ("target.t", "seen", "made", "given"):
            with pytest.raises(duckdb.CatalogException):
                con.execute(f"SELECT * FROM {name}")
    assert len(opened) == 1


def test_a_file_that_was_attached_is_whole_and_free(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with lent() as con:
        con.execute(f"ATTACH '{path}' AS target")
        con.execute("CREATE TABLE target.t AS SELECT 1 AS a")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    read = "import duckdb, sys; print(duckdb.connect(sys.argv[1]).execute('FROM t').fetchall())"
    assert (
        subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, check=True).stdout == "[(1,)]\n"
    )


def test_what_fails_is_undone_and_leaves_nothing_either(opened: list[Any], tmp_path: Path) -> None:
    with suppress(RuntimeError), lent(memory_limit="100MB") as con:
        con.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS target")
        con.execute("BEGIN")
        con.execute("CREATE TABLE target.t AS SELECT 1 AS a")
        raise RuntimeError
    with lent() as con:
        assert setting(con, "memory_limit") != "95.3 MiB"
        con.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS target")
        assert con.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
    assert len(opened) == 1


def test_who_comes_meanwhile_has_another_one(opened: list[Any], tmp_path: Path) -> None:
    with lent(TimeZone="UTC") as one, lent(memory_limit="100MB") as other:
        one.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS target")
        assert setting(one, "memory_limit") != setting(other, "memory_limit")
        assert other.execute("SELECT count(*) FROM duckdb_databases() WHERE database_name = 'target'").fetchall() == [(0,)]
    with lent(), lent():
        pass
    assert len(opened) == 2


def test_what_spilled_is_not_lent_again(opened: list[Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        with lent(memory_limit="30MB", temp_directory=str(folder), threads="1") as con:
            con.execute("CREATE TEMP TABLE large AS SELECT range AS i, repeat('x', 50) || range AS v FROM range(600000)")
            assert con.execute("SELECT count(*), max(i) FROM large").fetchall() == [(600000, 599999)]
            assert list(folder.iterdir())
    assert len(opened) == 2


def test_a_process_that_was_forked_opens_its_own() -> None:
    program = """
import os
from headrace.infrastructure.duckdb_lending import lent
ask = "SELECT sum(range) FROM range(1000000)"
with lent() as con:
    print(con.execute(ask).fetchone(), flush=True)
if not (child := os.fork()):
    with lent() as con:
        print(con.execute(ask).fetchone(), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "(499999500000,)\n" * 2
