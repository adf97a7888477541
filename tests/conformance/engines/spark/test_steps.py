"""Every step, and every feature that the page on engines says yes to, gives on Spark the rows that it gives on DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from itertools import cycle, islice
from typing import Any

import pytest
from tests.conformance.engines import tables as of_duckdb
from tests.conformance.engines.adapters import DuckDB, duckdb_engine, shown
from tests.conformance.engines.adapters import readable as duckdb_readable
from tests.conformance.engines.spark.adapter import Spark, plain, readable
from tests.conformance.engines.spark.tables import fill, result
from tests.conformance.engines.test_features import ROWS
from tests.conformance.engines.test_steps import BAGS, ORDERED, tables

from headrace.infrastructure.loading.engine_features import EXPRESSIONS, STEPS
from headrace.infrastructure.loading.engine_matrix import answers_of, answers_of_steps, parsed, relations

#: Values of each column, of which no two have the same number, so that rows differ.
VALUES: dict[str, list[Any]] = {
    "k": [1, -2, None, 0, 2],
    "s": ["", "a", None, " ä  b ", "straße", "𝄞", "Z", "e\u0301", "NA", "it's", "a\tb\n"],
    "f": [0.0, -1.5, None, 2.25, float("nan"), float("inf"), 1e300],
    "d": [date(1, 1, 1), None, date(2024, 2, 29), date(9999, 12, 31)],
    "at": [datetime(1, 1, 1, tzinfo=UTC), None, datetime(2024, 3, 31, 1, 30, tzinfo=UTC)],
    "x": [Exact("0E-10"), None, Exact("-0.5000000000"), Exact("2.5000000000")],
    "b": [True, None, False],
    "t": [[], None, ["a", None], ["Z"], ["b", "a"]],
    "j": ['{"a": 1}', None, "[1, null]", "null"],
}
GIVEN = [dict(zip(VALUES, row, strict=True)) for row in islice(zip(*map(cycle, VALUES.values()), strict=False), 14)]
OTHERS = [
    {"k": k, "s": s, "n": n} for k, s, n in [(1, "a", "z"), (2, "", None), (None, "a", "a"), (3, None, "x"), (1, "Z", "ä")]
]


Filled = tuple[DuckDB, dict[str, str]]


@pytest.fixture(scope="module")
def filled(spark: Spark) -> Iterator[Filled]:
    with duckdb_engine() as duckdb:
        of_duckdb.fill(duckdb, tables(GIVEN, OTHERS))
        yield duckdb, fill(spark, tables(GIVEN, OTHERS), "steps")


@pytest.fixture(scope="module")
def features(spark: Spark) -> Iterator[Filled]:
    with duckdb_engine() as duckdb:
        of_duckdb.fill(duckdb, ROWS)
        yield duckdb, fill(spark, ROWS, "features")


@pytest.mark.parametrize("written", [*BAGS, *ORDERED], ids=json.dumps)
def test_the_same_rows(spark: Spark, filled: Filled, written: Any) -> None:
    duckdb, views = filled
    made = of_duckdb.steps(written, tables(GIVEN, OTHERS))
    refused = [why for _, relation in made for why in spark.relation_problems(relation)]
    if refused:
        assert all("JSON" in why or "list" in why or "writes floats" in why for why in refused), refused
        return
    meant = of_duckdb.result(duckdb, made, {name: duckdb.identifier(name) for name in views}, digits=12)
    found = result(spark, made, views, digits=12)
    assert (sorted(found), sorted(meant))[0] == sorted(meant) if written in BAGS else found == meant


@pytest.mark.parametrize("name", [name for name in STEPS if not answers_of_steps(STEPS[name])["spark"]])
def test_steps_that_the_page_says_yes_to(spark: Spark, features: Filled, name: str) -> None:
    duckdb, views = features
    made = relations(STEPS[name])
    meant = of_duckdb.result(duckdb, made, {table: duckdb.identifier(table) for table in ROWS}, digits=12)
    found = result(spark, made, views, digits=12)
    assert found == meant if name.startswith("sort") else sorted(found) == sorted(meant)


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if not answers_of(EXPRESSIONS[name])["spark"]])
def test_expressions_that_the_page_says_yes_to(spark: Spark, features: Filled, name: str) -> None:
    duckdb, views = features
    expression = parsed(EXPRESSIONS[name])
    sql = duckdb_readable(duckdb.expression(expression), expression.type, duckdb)
    meant = [shown(value, expression.type) for (value,) in duckdb.fetch(f"SELECT {sql} FROM t")]
    of_spark = readable(spark.expression(expression), expression.type)
    found = [
        shown(plain(value, expression.type), expression.type)
        for (value,) in spark.fetch(f"SELECT {of_spark} FROM {views['t']}")
    ]
    assert sorted(found) == sorted(meant)
