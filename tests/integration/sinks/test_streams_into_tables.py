"""What the laws of outlets leave to each database: tables that are there already, types, answers that are lost, targets that go away."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import parse_type
from headrace.business.ports import Fence
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.duckdb_sink import DuckDBSink
from headrace.infrastructure.connectors.postgres_sink import PostgresSink
from headrace.infrastructure.connectors.sqlite_sink import SQLiteSink
from headrace.infrastructure.connectors.streams.table_outlet import TableOutlet

FENCE = Fence("test", 1)
SCHEMA = Schema((Column("id", parse_type("int64"), nullable=False), Column("name", parse_type("string"))))


def rows(*values: tuple[int, str | None]) -> pa.Table:
    ids, names = [n for n, _ in values], [name for _, name in values]
    return pa.table({"id": pa.array(ids, pa.int64()), "name": pa.array(names, pa.string())})


def into_postgres(url: str, mode: str = "merge", schema: Schema = SCHEMA, **options: Any) -> Any:
    key = {"key": ["id"]} if mode == "merge" else {}
    sink = PostgresSink.model_validate({"url": url, "table": "windows", "mode": mode, **key, **options})
    return sink.outlet(Path(), "stream", schema)


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as db:
        cursor = db.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_postgres_recognises_the_commit_whose_answer_was_lost(mode: str, postgres: str, monkeypatch: pytest.MonkeyPatch):
    from headrace.infrastructure.connectors.streams.postgres_outlet import _EpochTable

    outlet = into_postgres(postgres, mode)
    assert outlet.committed(FENCE) == 0
    outlet.commit(1, rows((1, "a")))
    run = _EpochTable.run

    def cut_behind_the_commit(self: _EpochTable, statement: str) -> int:
        done = run(self, statement)
        if statement == "COMMIT":
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return done

    monkeypatch.setattr(_EpochTable, "run", cut_behind_the_commit)
    with pytest.raises(RetryableError):
        outlet.commit(2, rows((1, "b"), (2, "b")))
    monkeypatch.undo()
    assert outlet.commit(2, rows((1, "b"), (2, "b"))).already
    assert len(asked(postgres, "SELECT * FROM windows")) == (3 if mode == "append" else 2)
    outlet.close()


def test_postgres_counts_what_was_inserted_updated_and_left(postgres: str):
    outlet = into_postgres(postgres)
    outlet.committed(FENCE)
    assert outlet.commit(1, rows((1, "a"), (2, "b"), (3, None))).inserted == 3
    done = outlet.commit(2, rows((1, "a"), (2, "c"), (3, None), (4, "d")))
    assert (done.inserted, done.updated, done.unchanged) == (1, 1, 2)
    outlet.close()


def test_postgres_adds_columns_and_keeps_those_that_it_does_not_know(postgres: str):
    asked(postgres, "CREATE TABLE windows (note text DEFAULT 'mine', id integer PRIMARY KEY)")
    asked(postgres, "INSERT INTO windows (id) VALUES (1)")
    schema = Schema((Column("id", parse_type("int32")), Column("name", parse_type("string"))))
    outlet = into_postgres(postgres, schema=schema)
    outlet.committed(FENCE)
    outlet.commit(1, rows((1, "a"), (2, "b")))
    assert sorted(asked(postgres, "SELECT id, name, note FROM windows")) == [(1, "a", "mine"), (2, "b", "mine")]
    assert len(asked(postgres, "SELECT 1 FROM pg_indexes WHERE tablename = 'windows'")) == 1  # the primary key will do
    outlet.close()


def test_postgres_refuses_a_key_that_does_not_tell_rows_apart(postgres: str):
    asked(postgres, "CREATE TABLE windows (id bigint, name text)")
    asked(postgres, "INSERT INTO windows VALUES (1, 'a'), (1, 'b')")
    with pytest.raises(NonRetryableError, match="more than one row that is there"):
        into_postgres(postgres).committed(FENCE)


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_postgres_reads_texts_as_the_table_has_them(mode: str, postgres: str):
    asked(postgres, "CREATE TYPE mood AS ENUM ('sad', 'glad')")
    asked(postgres, "CREATE TABLE windows (id bigint, name mood, code varchar(3), number uuid, size numeric(20, 4))")
    types = {"id": "int64", "name": "string", "code": "string", "number": "string", "size": "decimal(10, 2)"}
    schema = Schema(tuple(Column(name, parse_type(kind)) for name, kind in types.items()))
    outlet = into_postgres(postgres, mode, schema)
    outlet.committed(FENCE)
    number = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    good = {"id": [1], "name": ["glad"], "code": ["abc"], "number": [number], "size": [Decimal("1.50")]}
    outlet.commit(1, pa.table(good))
    assert asked(postgres, "SELECT id, name::text, code, number::text, size FROM windows") == [
        (1, "glad", "abc", number, Decimal("1.5000"))
    ]
    for wrong in ({"code": ["abcd"]}, {"name": ["angry"]}, {"number": ["x"]}):
        with pytest.raises(NonRetryableError):
            outlet.commit(2, pa.table(good | wrong))
    outlet.commit(2, pa.table(good | {"id": [2]}))
    assert asked(postgres, "SELECT count(*) FROM windows") == [(2,)]
    outlet.close()


def test_postgres_takes_every_type_without_a_change(postgres: str):
    types = {
        "id": "int64", "small": "int8", "byte": "uint8", "large": "uint64", "huge": "int128", "half": "float32", "flag": "boolean",
        "day": "date", "clock": "time", "wall": "timestamp", "moment": "timestamptz", "span": "interval", "raw": "binary",
        "document": "json", "numbers": "list<int32>", "words": "list<string>", "point": "struct<x: int64>", "points": "list<struct<x: int64>>",
    }  # fmt: skip
    schema = Schema(tuple(Column(name, parse_type(kind)) for name, kind in types.items()))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        one = con.sql(
            "SELECT 1::BIGINT id, (-128)::TINYINT small, 255::UTINYINT byte, 18446744073709551615::UBIGINT large, 5::DECIMAL(38, 0) huge, "
            "1.5::FLOAT half, true flag, DATE '2024-02-29' AS day, TIME '23:59:59.999999' clock, TIMESTAMP '1969-12-31 23:59:59.000001' wall, "
            "TIMESTAMPTZ '2024-01-01 00:00:00+01' moment, INTERVAL '1 month 2 days' span, '\\xFF'::BLOB AS raw, '{\"a\": [1]}'::JSON AS document, "
            "[1, NULL]::INTEGER[] numbers, ['a\"b', NULL, ''] words, {'x': 1::BIGINT} point, [{'x': 1::BIGINT}] points"
        ).to_arrow_table()
    nothing = pa.table({name: pa.array([2 if name == "id" else None], one[name].type) for name in one.column_names})
    outlet = into_postgres(postgres, schema=schema)
    outlet.committed(FENCE)
    outlet.commit(1, pa.concat_tables([one, nothing]))
    first, second = sorted(asked(postgres, f"SELECT {', '.join(types)} FROM windows"))
    assert first == (
        1, -128, 255, Decimal(2**64 - 1), Decimal(5), 1.5, True, dt.date(2024, 2, 29), dt.time(23, 59, 59, 999999),
        dt.datetime.fromisoformat("1969-12-31 23:59:59.000001"), dt.datetime(2023, 12, 31, 23, tzinfo=dt.UTC), dt.timedelta(days=32), b"\xff",
        {"a": [1]}, [1, None], ['a"b', None, ""], {"x": 1}, [{"x": 1}],
    )  # fmt: skip
    assert second == (2, *[None] * (len(types) - 1))
    assert outlet.commit(2, one).unchanged == 1
    outlet.close()


def test_postgres_merges_into_a_table_of_partitions(postgres: str):
    asked(postgres, "CREATE TABLE windows (id bigint NOT NULL, name text) PARTITION BY RANGE (id)")
    asked(postgres, "CREATE TABLE low PARTITION OF windows FOR VALUES FROM (0) TO (10)")
    asked(postgres, "CREATE TABLE high PARTITION OF windows FOR VALUES FROM (10) TO (20)")
    outlet = into_postgres(postgres)
    outlet.committed(FENCE)
    outlet.commit(1, rows((1, "a"), (11, "a")))
    done = outlet.commit(2, rows((1, "b"), (12, "b")))
    assert (done.inserted, done.updated) == (1, 1)
    assert sorted(asked(postgres, "SELECT * FROM windows")) == [(1, "b"), (11, "a"), (12, "b")]
    outlet.close()


def targets(kind: str, postgres: str, folder: Path) -> tuple[TableOutlet, Any]:
    """An outlet, and what drops its table."""
    made: dict[str, tuple[Any, Any]] = {
        "postgres": (PostgresSink.model_validate({"url": postgres, "table": "windows", "mode": "append"}), None),
        "duckdb": (DuckDBSink(path=str(folder / "d.duckdb"), table="windows", mode="append"), duckdb.connect),
        "sqlite": (SQLiteSink(path=str(folder / "s.sqlite"), table="windows", mode="append"), sqlite3.connect),
    }
    sink, connect = made[kind]

    def drop() -> None:
        if kind == "postgres":
            asked(postgres, "DROP TABLE windows")
            return
        with closing(connect(sink.path)) as db:
            db.execute("DROP TABLE windows")

    return sink.outlet(folder, "stream", SCHEMA), drop


@pytest.mark.parametrize("kind", ["postgres", "duckdb", "sqlite"])
def test_a_table_that_was_dropped_has_no_epochs(kind: str, postgres: str, tmp_path: Path):
    outlet, drop = targets(kind, postgres, tmp_path)
    assert outlet.committed(FENCE) == 0
    outlet.commit(1, rows((1, "a")))
    assert outlet.committed(FENCE) == 1
    drop()
    assert outlet.committed(FENCE) == 0
    assert outlet.commit(1, rows((1, "a"))).inserted == 1
    outlet.close()


@pytest.mark.parametrize("kind", ["postgres", "duckdb", "sqlite"])
def test_rows_that_do_not_fit_are_refused_when_the_stream_is_taken(kind: str, postgres: str, tmp_path: Path):
    outlet, _ = targets(kind, postgres, tmp_path)
    outlet.committed(FENCE)
    outlet.close()
    outlet, _ = targets(kind, postgres, tmp_path)
    outlet.schema = Schema((Column("id", parse_type("binary")), Column("name", parse_type("string"))))
    with pytest.raises(NonRetryableError, match="do not fit"):
        outlet.committed(FENCE)


@pytest.mark.parametrize("kind", ["postgres", "duckdb", "sqlite"])
def test_floats_and_times_come_as_they_are_again_and_again(kind: str, postgres: str, tmp_path: Path):
    schema = Schema(
        tuple(Column(name, parse_type(t)) for name, t in {"id": "int64", "mean": "float64", "at": "timestamptz"}.items())
    )
    place = {"postgres": {"url": postgres}, "duckdb": {"path": "d.duckdb"}, "sqlite": {"path": "s.sqlite"}}[kind]
    plugin: Any = {"postgres": PostgresSink, "duckdb": DuckDBSink, "sqlite": SQLiteSink}[kind]
    outlet = plugin.model_validate({"table": "t", "mode": "merge", "key": ["id"], **place}).outlet(tmp_path, "stream", schema)
    outlet.committed(FENCE)
    at = dt.datetime(2024, 1, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC)
    for epoch in (1, 2, 3):
        table = pa.table({"id": [1, 2], "mean": [0.1 * epoch, None], "at": pa.array([at, None], pa.timestamp("us", "UTC"))})
        done = outlet.commit(epoch, table)
        assert (done.inserted, done.updated, done.unchanged) == ((2, 0, 0) if epoch == 1 else (0, 1, 1))
    outlet.close()


def test_a_key_that_comes_twice_in_an_epoch_has_its_last_row(postgres: str):
    outlet = into_postgres(postgres)
    outlet.committed(FENCE)
    done = outlet.commit(1, rows((1, "a"), (2, "a"), (1, "b"), (1, "c")))
    assert done.inserted == 2
    assert sorted(asked(postgres, "SELECT * FROM windows")) == [(1, "c"), (2, "a")]
    outlet.close()


def test_a_key_that_is_null_is_refused_before_anything_is_touched(postgres: str):
    outlet = into_postgres(postgres)
    outlet.committed(FENCE)
    nobody = pa.table({"id": pa.array([None], pa.int64()), "name": ["a"]})
    with pytest.raises(NonRetryableError, match="null in their key"):
        outlet.commit(1, nobody)
    assert outlet.commit(1, rows((1, "a"))).inserted == 1
    outlet.close()


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_postgres_names_the_column_with_a_character_that_it_cannot_store(mode: str, postgres: str):
    outlet = into_postgres(postgres, mode)
    outlet.committed(FENCE)
    with pytest.raises(NonRetryableError, match="`name` has a NUL character in 1 rows"):
        outlet.commit(1, rows((1, "a"), (2, "b\0c")))
    assert outlet.commit(1, rows((1, "a"))).inserted == 1
    outlet.close()


def test_duckdb_is_free_for_readers_between_two_epochs_and_waits_for_them(tmp_path: Path):
    outlet, _ = targets("duckdb", "", tmp_path)
    outlet.committed(FENCE)
    outlet.commit(1, rows((1, "a")))
    with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM windows").fetchall() == [(1,)]
    outlet.commit(2, rows((2, "b")))
    with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM windows").fetchall() == [(2,)]
    outlet.close()
