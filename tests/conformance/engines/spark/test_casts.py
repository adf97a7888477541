"""Every cast of every odd value gives on Spark what it gives on DuckDB, or is refused; so does every text that hypothesis thinks of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.edges import EDGES, KINDS
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.engines.spark.comparing import Alike, differences, few
from tests.conformance.engines.test_casts import FORMATS, SOURCES, casts
from tests.conformance.expressions.test_laws import iso, near_moments, near_numbers, ordinary

from headrace.business.model.schema import Schema
from headrace.business.model.types import String, parse_type
from headrace.business.processing.expressions.ir import Cast, ColumnRef, Expr
from headrace.infrastructure.engines.spark.types import type_problem

#: What nobody's edges hold, and texts are written like.
ODD = [
    "1.234,5", "-1,234", "Ja", "nein", "É", "03.02.2013", "10:30 PM", "2013-02-03T10:00:00+0200", "2013-02-03T10:00:00+02", "2013-02-03 10:00:00", "1e400", "1e-400",
    " +5 ", "5.", "0.10", "007", "1d", "0x1p3", "infinity", " -Inf", "nan", "+NaN", "t", "yes", "Yes ", "ab", "abc", "AB", "1996", "yesterday", "[1,]", "nul", "{}",
    '{"a":1,"a":2}', "2024-01-01T10:00Z", "2024-01-01T10:00+15:59", "2024-01-01T10:00+16:00", "0001-01-01T00:00+01:00", "2024-02-30", "2024-1-1",
]  # fmt: skip


def never(one: str, other: str) -> bool:
    return False


def of_text(spark: Spark) -> dict[str, Expr]:
    cell = ColumnRef(String(), "a")
    written = [*casts("string"), *(Cast(parse_type(kind), cell, True, how) for kind, how in FORMATS.items())]
    return {f"{i}: cast to {e.type}": e for i, e in enumerate(written) if not spark.problems(e)}


def alike() -> Mapping[str, Alike]:
    return defaultdict(lambda: never)


@pytest.mark.parametrize("source", [source for source in SOURCES if type_problem(KINDS[source]) is None])
def test_the_same_as_on_duckdb(spark: Spark, duckdb: DuckDB, source: str) -> None:
    expressions = {f"cast to {e.type}": e for e in casts(source) if not spark.problems(e)}
    rows = [{"a": value} for value in [None, *EDGES[source]]]
    assert expressions
    assert differences(spark, duckdb, expressions, Schema.of(a=KINDS[source]), rows, alike()) == []


def test_texts_are_read_alike(spark: Spark, duckdb: DuckDB) -> None:
    assert differences(spark, duckdb, of_text(spark), Schema.of(a=String()), [{"a": text} for text in ODD], alike()) == []


@few(2)
@given(texts=st.lists(st.one_of(near_numbers, near_moments, iso, ordinary), min_size=90, max_size=120))
def test_any_text_is_read_alike(spark: Spark, duckdb: DuckDB, texts: list[str]) -> None:
    assert differences(spark, duckdb, of_text(spark), Schema.of(a=String()), [{"a": text} for text in texts], alike()) == []
