"""Rows that reach PostgreSQL in its binary format are the rows that it would have read as text: every type, every edge, and nulls."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.sinks.targets import checkpoint, stage

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, Date, Decimal, Enum, Float, Integer, String, Time, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import postgres_table
from headrace.infrastructure.connectors.postgres_sink import PostgresSink
from headrace.infrastructure.postgresql.binary_copy import takes
from headrace.infrastructure.postgresql.copying import copy_batches
from headrace.infrastructure.postgresql.types import postgres_type

SCHEMA = Schema.of(
    tiny=Integer(8), small=Integer(16), whole=Integer(32), big=Integer(64), byte=Integer(8, signed=False), word=Integer(32, signed=False),
    single=Float(32), double=Float(64), cents=Decimal(15, 2), thin=Decimal(18, 18), round=Decimal(18, 0), five=Decimal(9, 5),
    most=Decimal(38, 10), huge=Integer(64, signed=False), flag=Boolean(), text=String(), day=Date(), clock=Time(), local=Timestamp(), instant=Timestamp(zone=True), last=String(),
)  # fmt: skip
ARROW = pa.schema([
    ("tiny", pa.int8()), ("small", pa.int16()), ("whole", pa.int32()), ("big", pa.int64()), ("byte", pa.uint8()), ("word", pa.uint32()),
    ("single", pa.float32()), ("double", pa.float64()), ("cents", pa.decimal128(15, 2)), ("thin", pa.decimal128(18, 18)),
    ("round", pa.decimal128(18, 0)), ("five", pa.decimal128(9, 5)),
    ("most", pa.decimal128(38, 10)), ("huge", pa.uint64()), ("flag", pa.bool_()), ("text", pa.string()), ("day", pa.date32()),
    ("clock", pa.time64("us")), ("local", pa.timestamp("us")), ("instant", pa.timestamp("us", "UTC")), ("last", pa.string()),
])  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - readings of a clock without zone


def whole(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    kind = Integer(bits, signed=signed)
    return st.integers(kind.lowest, kind.highest) | st.sampled_from([kind.lowest, kind.highest])


def exact(digits: int, scale: int) -> st.SearchStrategy[Exact]:
    most = 10**digits - 1
    numbers = st.integers(-most, most) | st.sampled_from([0, 1, -1, most, -most, 10**4, 10 ** (digits - 1)])
    return numbers.map(lambda n: Exact(f"{n}e-{scale}"))


rows = st.tuples(
    whole(8), whole(16), whole(32), whole(64), whole(8, signed=False), whole(32, signed=False), st.floats(width=32), st.floats(),
    exact(15, 2), exact(18, 18), exact(18, 0), exact(9, 5), exact(38, 10), whole(64, signed=False), st.booleans(), texts, st.dates(), st.times(), moments,
    moments.map(lambda m: m.replace(tzinfo=UTC)), texts,
)  # fmt: skip


def nullable(row: tuple[Any, ...], missing: set[int]) -> tuple[Any, ...]:
    return tuple(None if i in missing else value for i, value in enumerate(row))


some = st.builds(nullable, rows, st.sets(st.integers(0, len(SCHEMA) - 1)) | st.just(set()))


def arrow(query: str) -> list[pa.RecordBatch]:
    with duckdb.connect() as con:
        return list(con.sql(query).to_arrow_reader())


@pytest.fixture
def table(postgres: str) -> Any:
    columns = ", ".join(f"{c.name} {postgres_type(c.type)}" for c in SCHEMA)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE t ({columns})".encode())
        yield connection


@given(st.lists(some, min_size=1, max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_what_is_there(table: psycopg.Connection[Any], given: list[tuple[Any, ...]]) -> None:
    table.execute("TRUNCATE t")
    arrays = [pa.array(values, kind) for values, kind in zip(zip(*given, strict=True), ARROW.types, strict=True)]
    whole = pa.RecordBatch.from_arrays(arrays, schema=ARROW)
    parts = [whole.slice(0, len(given) // 2), whole.slice(len(given) // 2)]  # which do not begin where their memory does
    with table.cursor() as cursor:
        assert copy_batches(parts, SCHEMA, cursor, "t") == len(given)
    found = table.execute("SELECT * FROM t", binary=True).fetchall()
    assert sorted(map(alike, found)) == sorted(map(alike, given))


def alike(row: tuple[Any, ...]) -> str:
    return repr([str(v.astimezone(UTC)) if isinstance(v, datetime) and v.tzinfo else str(v) for v in row])


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "1999-12-31", "2000-01-01", "0044-03-15 (BC)", "4000-01-01 (BC)"])
def test_moments_beyond_a_calendar(table: psycopg.Connection[Any], moment: str) -> None:
    schema = Schema.of(day=Date(), local=Timestamp())
    reader = arrow(f"SELECT DATE '{moment}' AS day, CAST(DATE '{moment}' AS TIMESTAMP) AS local")
    with table.cursor() as cursor:
        copy_batches(reader, schema, cursor, "t")
    there = moment.replace("(BC)", "BC")
    assert table.execute("SELECT day = %s::date, local = %s::timestamp FROM t", (there, there)).fetchall() == [(True, True)]


def test_a_moment_that_postgresql_cannot_hold_is_refused_and_not_another(table: psycopg.Connection[Any]) -> None:
    for earliest in ("DATE '290309-12-22 (BC)'", "DATE '5877642-06-25 (BC)'"):
        reader = arrow(f"SELECT {earliest} AS day")
        with pytest.raises(psycopg.DataError, match="out of range"), table.cursor() as cursor:
            copy_batches(reader, Schema.of(day=Date()), cursor, "t")


def test_a_column_of_words_comes_as_texts(table: psycopg.Connection[Any]) -> None:
    reader = arrow("SELECT CAST(w AS ENUM ('b', 'a')) AS text FROM (VALUES ('a'), (NULL), ('b')) v(w)")
    with table.cursor() as cursor:
        copy_batches(reader, Schema.of(text=Enum(("b", "a"))), cursor, "t")
    assert table.execute("SELECT text FROM t").fetchall() == [("a",), (None,), ("b",)]


def test_wide_rows_are_sent_a_few_at_a_time(table: psycopg.Connection[Any]) -> None:
    long = ["x" * 1_000_000] * 100
    with table.cursor() as cursor:
        copy_batches([pa.record_batch([pa.array(long)], ["text"])], Schema.of(text=String()), cursor, "t")
    assert table.execute("SELECT count(*), min(length(text)) FROM t").fetchall() == [(100, 1_000_000)]


@pytest.mark.parametrize(
    ("there", "kind", "can"),
    [
        ("character varying(10)", String(), True), ("character(10)", String(), False), ("uuid", String(), False),
        ("numeric(20,4)", Decimal(18, 4), True), ("numeric", Decimal(38, 4), True), ("numeric", Integer(64), False),
        ("bigint", Integer(32), False), ("integer", Integer(32), True), ("numeric(20,0)", Integer(64, signed=False), True), ("numeric(39,0)", Integer(128), False),
        ("double precision", Float(32), False), ("timestamp with time zone", Timestamp(), False),
    ],
)  # fmt: skip
def test_only_columns_of_the_very_type_take_binary_values(there: str, kind: Any, can: bool) -> None:
    assert takes(there, kind) is can


@pytest.mark.parametrize(
    "columns", ["id integer, note text, price numeric(10,2)", "id numeric, note varchar(9), price numeric"]
)
@pytest.mark.parametrize("many", [1, 1_000])
def test_both_formats_bring_the_same_rows(
    postgres: str, tmp_path: Path, columns: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_table, "MANY_ROWS", many)
    schema = Schema((Column("id", Integer(32)), Column("note", String()), Column("price", Decimal(10, 2))))
    given = [(1, 'a,"b\n', Exact("1.50")), (2, None, None), (3, "", Exact("-99999999.99"))]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE t ({columns})".encode())
        target = PostgresSink.model_validate({"url": postgres, "table": "t", "mode": "append"})
        assert target.publish(tmp_path, stage(tmp_path / "a", given, schema), checkpoint("a")).inserted == 3
        assert connection.execute("SELECT * FROM t ORDER BY id").fetchall() == given


def test_a_nul_character_is_named_also_where_it_came_in_binary(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_table, "MANY_ROWS", 1)
    target = PostgresSink.model_validate({"url": postgres, "table": "t"})
    with pytest.raises(NonRetryableError, match="`note` has a NUL character in 1 rows"):
        target.publish(tmp_path, stage(tmp_path / "a", [("a\0b",)], Schema.of(note=String())), checkpoint("a"))


def test_days_and_times_are_those_of_python(table: psycopg.Connection[Any]) -> None:
    schema, given = Schema.of(day=Date(), clock=Time()), (date(1970, 1, 1), time(23, 59, 59, 999_999))
    batch = pa.record_batch([pa.array([given[0]]), pa.array([given[1]], pa.time64("us"))], ["day", "clock"])
    with table.cursor() as cursor:
        copy_batches([batch], schema, cursor, "t")
    assert table.execute("SELECT day, clock FROM t").fetchall() == [given]
