"""What a session is given depends on the server's version: the older text of each function does the same as the newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from tests.conformance.engines.adapters import Adapter, Postgres, evaluate
from tests.conformance.engines.edges import EDGES
from tests.conformance.engines.test_casts import casts
from tests.integration.postgres_server import PostgresServer

from headrace.business.model.schema import Schema
from headrace.business.model.types import Interval, String
from headrace.business.processing.expressions.parse import parse_expression
from headrace.business.validation.compiled import raw
from headrace.infrastructure.engines.postgres.server import LEAST_VERSION

#: Every character but those of planes that hold no letters.
CHARACTERS = [chr(code) for code in (*range(1, 0xD800), *range(0xE000, 0x1F000))]
#: How many characters Unicode has given another case, or called a mark, between the versions that engines know.
NEWER = 60


@pytest.fixture(scope="module")
def oldest(postgres_server: PostgresServer) -> Iterator[Postgres]:
    with psycopg.connect(postgres_server.new_database(), autocommit=True) as con:
        yield Postgres(con, LEAST_VERSION)


@pytest.mark.parametrize("text", ["lower(a)", "upper(a)", "strip_accents(a)"])
def test_characters_change_alike(engines: Mapping[str, Adapter], oldest: Postgres, text: str) -> None:
    expression = parse_expression(text, Schema.of(a=String()))
    numbers = "(SELECT n, chr(CAST(n AS integer)) AS a FROM generate_series(1, 126975) AS s(n) WHERE n NOT BETWEEN 55296 AND 57343) AS c"
    found = [
        [value for (value,) in engine.fetch(f"SELECT {engine.expression(expression)} FROM {numbers} ORDER BY n")]
        for engine in (*engines.values(), oldest)
    ]
    assert all(len(values) == len(CHARACTERS) for values in found)
    for values in found[1:]:
        unlike = [char for char, one, other in zip(CHARACTERS, found[0], values, strict=True) if one != other]
        assert len(unlike) <= NEWER
        assert not any(char < "\u0180" for char in unlike)


#: What PostgreSQL takes for a number, a day or a time and we do not, or the other way, and what is nearly one of these.
ODD = [
    *EDGES["string"], '"\\ud800"', '"\\ud834\\udd1e"', '"\\\\u0000"', '"\\\\\\\\u0000"', "[1,]", "nul", "{}", '{"a":1,"a":2}',
    "0", "-0", "+1", "007", " 7", "7 ", "0x1F", "0b1", "1_000", "127", "128", "-129", "32767", "32768", "2147483647", "2147483648", "-2147483648",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999999", "1.5", "1.50", "1.505", "-0.00", ".5", "5.",
    "999.99", "1000.00", "999.995", "1e2", "NaN", "Infinity", "-infinity", "infinity", "epoch", "now", "today", "yesterday", "allballs",
    "2024-02-29", "2023-02-29", "2024-2-9", "0001-01-01", "0000-01-01", "9999-12-31", "10000-01-01", "0044-03-15 BC", "20240102", "01/02/2024",
    "J2451187", " 199-01-08", "2024-01-01 ", "2024-Jan-01", "1999.008", "2024-366",
    *(f"{day}{mark}{clock}" for day in ("2024-02-29", "10000-01-01", "0001-01-01", "9999-12-31") for mark in " Tt" for clock in (
        "10:00", "10:00:00", "24:00:00", "23:59:60", "10:00:00.5", "10:00:00.500", "10:00:00.123456", "10:00:00.1234567", "10:00:00.1234560", "10:00:00.",
        "10:00:00Z", "10:00:00z", "10:00:00+00", "10:00:00+02:00", "10:00:00-15:59", "10:00:00+16:00", "10:00:00.25Z", "10:00:00.250+05:30",
        "10:00:00 UTC", "10:00:00 BC", "00:00:00+01:00", "23:59:59.999999-00:01", "10:00:00+0200",
    )),
]  # fmt: skip


def test_texts_are_read_alike(engines: Mapping[str, Adapter], oldest: Postgres) -> None:
    """By each text of the functions, and as cells that came, which are cast in another way than other columns."""
    newest = engines["postgres"]
    able = [e for e in casts("string") if not newest.problems(e)]
    texts, cell = list(dict.fromkeys(ODD)), raw("a")
    first, *others = (
        evaluate(engine, [replace(e, value=replace(e.value, name=name)) for e in able], Schema.of(**{name: String()}), [{name: t} for t in texts])
        for engine, name in ((engines["duckdb"], "a"), (newest, "a"), (newest, cell), (oldest, "a"), (oldest, cell))
    )  # fmt: skip
    differ = [
        f"{text!r} as {e.type} ({number}): {one} and {two}"
        for number, other in enumerate(others)
        for text, ones, twos in zip(texts, first, other, strict=True)
        for e, one, two in zip(able, ones, twos, strict=True)
        if one != two
    ]
    assert not differ, "\n".join(differ)


def test_a_nul_in_json_cannot_be_held(engines: Mapping[str, Adapter], oldest: Postgres) -> None:
    schema = Schema.of(a=String())
    for engine in (engines["postgres"], oldest):
        written = evaluate(
            engine, [parse_expression("try_cast(a as json)", schema)], schema, [{"a": '"\\u0000"'}, {"a": '"\\\\\\u0000"'}]
        )
        assert written == [["null"], ["null"]]


def test_a_constant_is_not_cast_in_advance(engines: Mapping[str, Adapter], oldest: Postgres) -> None:
    """The planner puts constants where their columns stand. A cast that fails must not be tried before its test."""
    schema = Schema.of(a=String())
    for engine in (*engines.values(), oldest):
        for kind in ("int32", "int64", "decimal(5, 2)", "date", "timestamp", "timestamptz", "float64"):
            cast = engine.expression(parse_expression(f"try_cast(a as {kind})", schema))
            assert engine.fetch(f"SELECT {cast} FROM (SELECT 'none' AS a) AS s") == [(None,)]
            assert engine.fetch(f"SELECT {cast} FROM (SELECT '99999999999999999999' AS a) AS s") in ([(None,)], [(1e20,)])


def test_spans_are_written_as_the_oldest_server_reads_them(oldest: Postgres) -> None:
    """PostgreSQL 14 reads at most 2,147,483,647 of a unit, which are 36 minutes of microseconds."""
    written = oldest.literal(timedelta(days=-2, hours=23, microseconds=5), Interval())
    assert written == "CAST('-2 days 82800.000005 seconds' AS interval)"
    assert oldest.fetch(f"SELECT {written}") == [(timedelta(days=-2, hours=23, microseconds=5),)]
