"""Values of PostgreSQL that are hard to keep: each comes as it is, or is refused in words that say why."""

from __future__ import annotations

import psycopg
import pytest

from headrace import bootstrap
from headrace.business.engine import QuarantineTarget
from headrace.errors import NonRetryableError
from headrace.testing.sessions import unwatched

PIPELINE = {"version": 1, "pipeline": "p", "sinks": [{"duckdb": {"path": "o.db", "table": "t"}}]}


def read(url: str, here, expression: str, told: str = "cast(v as string)") -> tuple[str, str, list[str]]:
    """The type of the column `v`, its only value in the engine's own words, and the notes."""
    source = {"t": {"postgres": {"url": url, "query": f"SELECT {expression} AS v"}}}
    plan = bootstrap.plan(bootstrap.build({**PIPELINE, "sources": source, "steps": [{"derive": {"w": told}}]}, {}, here))
    session = bootstrap.engine(bootstrap.settings(here)).session(plan, here / "work", here)
    try:
        session.ingest(plan.sources[0], QuarantineTarget(here / "held.parquet", "p", "r"), after=None, progress=unwatched)
        shown = session.rows(plan.steps[-1].name, 1)[0]["w"]
    finally:
        session.close()
    return str(plan.sources[0].schema["v"].type), shown, list(plan.notes)


@pytest.mark.parametrize(
    ("expression", "kind", "shown"),
    [
        ("'0044-03-15 BC'::date", "date", "0044-03-15 (BC)"),
        ("'5874897-12-31'::date", "date", "5874897-12-31"),
        ("'0044-03-15 10:00:00.5 BC'::timestamp", "timestamp", "0044-03-15 (BC) 10:00:00.5"),
        ("'0044-03-15 10:00:00+01 BC'::timestamptz", "timestamptz", "0044-03-15 (BC) 09:00:00+00:00"),
        ("'-infinity'::timestamp", "timestamp", "-infinity"),
        ("'infinity'::timestamptz", "timestamptz", "infinity"),
        ("'294247-01-10 04:00:54.775806'::timestamp", "timestamp", "294247-01-10 04:00:54.775806"),
        ("'infinity'::date", "date", "infinity"),
        ("'-infinity'::date", "date", "-infinity"),
        ("'24:00:00'::time", "time", "24:00:00"),
        ("'NaN'::float4", "float32", "nan"),
        ("'-Infinity'::float8", "float64", "-inf"),
        ("18446744073709551615::text::xid8", "uint64", "18446744073709551615"),
        ("12345678901234567890123456789012345678::numeric(38)", "decimal(38, 0)", "12345678901234567890123456789012345678"),
        ("'1.5'::numeric(50, 10)", "string", "1.5000000000"),
        ("'NaN'::numeric", "string", "NaN"),
        ("'123e4567-e89b-12d3-a456-426655440000'::uuid", "string", "123e4567-e89b-12d3-a456-426655440000"),
        ("'[1,5)'::int4range", "string", "[1,5)"),
        ("'{2024-01-01,infinity}'::date[]", "string", "{2024-01-01,infinity}"),
        ("'10:00:00+02'::timetz", "string", "10:00:00+02"),
        ("'{\"a\": 1}'::jsonb", "json", '{"a": 1}'),
    ],
)
def test_values_come_as_they_are(postgres, tmp_path, expression, kind, shown):
    found = read(postgres, tmp_path, expression)
    assert found[:2] == (kind, shown)


def test_what_comes_as_text_though_it_is_something_else_is_noted(postgres, tmp_path):
    assert read(postgres, tmp_path, "'[1,5)'::int4range")[2] == ["t: `v` is int4range, and comes as text"]
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        con.execute("CREATE DOMAIN price AS numeric(6, 3)")
    assert read(postgres, tmp_path, "'ok'::mood") == ("string", "ok", [])
    assert read(postgres, tmp_path, "1.125::price") == ("decimal(6, 3)", "1.125", [])


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        ("'{{1,2},{3,4}}'::int[]", "an array of several dimensions is no list", "CAST(column AS text)"),
        ("'NaN'::numeric(5, 2)", "`v` holds NaN, which is no decimal(5, 2)", "the type has no such value here"),
        ("'294247-01-10 04:00:54.775807+00'::timestamptz", "out of range", "the type has no such value here"),
        ("'294276-12-31 23:59:59+00'::timestamptz", "out of range", "the type has no such value here"),
    ],
)
def test_what_cannot_come_is_refused(postgres, tmp_path, expression, said, hint):
    with pytest.raises(NonRetryableError) as caught:
        read(postgres, tmp_path, expression, "v is null")
    assert said in str(caught.value)
    assert hint in str(caught.value)
