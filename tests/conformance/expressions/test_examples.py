"""Every function of the catalogue: its example gives what the catalogue says, as the type that its signature says."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Cast, Expr
from headrace.business.processing.expressions.parse import parse_expression
from headrace.infrastructure.engines.duckdb.aggregate_table import AGGREGATES
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter, plan_problems
from headrace.infrastructure.engines.duckdb.function_table import TABLE
from headrace.infrastructure.engines.duckdb.types import duckdb_type, from_duckdb

PRINTER = ExpressionPrinter()
SEEN = {"aggregate": Schema.of(x=Integer(32), s=String()), "window": Schema.of(x=Integer(32), y=Integer(32))}
ROWS = {
    "aggregate": "(VALUES (1, 'a'), (2, 'b'), (2, 'c'), (NULL, 'd'), (5, 'e')) AS t(x, s)",
    "window": "(VALUES (10, 1), (20, 2), (20, 3)) AS t(x, y) ORDER BY y",
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def as_given(value: Expr, kind: Expr) -> str:
    """What the catalogue says, as the type of the result: `1.5` may be meant as a float."""
    return PRINTER.sql(Cast(kind.type, value) if kind.type.is_number and value.type != kind.type else value)


@pytest.mark.parametrize("function", catalog.FUNCTIONS, ids=lambda function: function.name)
def test_the_example_gives_what_the_catalogue_says(con: duckdb.DuckDBPyConnection, function: Function) -> None:
    schema, rows = SEEN.get(function.kind, Schema()), ROWS.get(function.kind, "(SELECT 1)")
    expression = parse_expression(
        function.example, schema, aggregates=function.kind == "aggregate", windows=function.kind == "window"
    )
    assert plan_problems(expression) == []
    meant = as_given(parse_expression(function.gives, Schema()), expression)
    sql = PRINTER.sql(expression)
    value, kind = con.execute(f"SELECT CAST({sql} AS VARCHAR), typeof({sql}) FROM {rows}").fetchall()[-1]
    assert (value,) == con.execute(f"SELECT CAST({meant} AS VARCHAR)").fetchone()
    assert from_duckdb(kind) == from_duckdb(duckdb_type(expression.type))


def test_duckdb_has_an_entry_for_each_function_and_for_no_other() -> None:
    assert TABLE.keys() | AGGREGATES.keys() == {function.name for function in catalog.FUNCTIONS}
