"""The printer: what it refuses to guess, and texts that try to break out of the statement."""

from __future__ import annotations

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Integer, String
from headrace.business.processing.expressions.ir import Aggregate, Call, ColumnRef, Constant, Expr, Subquery
from headrace.business.processing.expressions.parse import parse_expression
from headrace.business.processing.relation import Dataset
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter, plan_problems

SCHEMA = Schema.of(x=Integer(32), s=String())


def test_a_function_without_an_entry_is_found_before_anything_runs() -> None:
    unknown = Call(Integer(64), "frobnicate", (Aggregate(Integer(64), "tally", ()),))
    assert plan_problems(unknown) == ["the engine duckdb has no `frobnicate`", "the engine duckdb has no `tally`"]
    assert plan_problems(parse_expression("x + length(s)", SCHEMA)) == []


def test_queries_inside_are_printed_by_who_knows_relations() -> None:
    relation = Dataset(SCHEMA, "other")
    printer = ExpressionPrinter(lambda r: f"SELECT x FROM {r.name}" if isinstance(r, Dataset) else "")
    x = ColumnRef(Integer(32), "x")
    assert printer.sql(Subquery(Boolean(), "exists", relation)) == "EXISTS (SELECT x FROM other)"
    assert printer.sql(Subquery(Boolean(), "in", relation, x)) == '("x" IN (SELECT x FROM other))'
    assert printer.sql(Subquery(Integer(32), "scalar", relation)) == "(SELECT x FROM other)"
    with pytest.raises(TypeError, match="part of a relation"):
        ExpressionPrinter().sql(Subquery(Boolean(), "exists", relation))


def test_orders_always_say_where_nulls_go() -> None:
    expression = parse_expression("list(x order by s desc, x nulls first)", SCHEMA, aggregates=True)
    assert ExpressionPrinter().sql(expression) == 'list("x" ORDER BY "s" DESC NULLS LAST, "x" ASC NULLS FIRST)'


@pytest.mark.parametrize(
    "text", ["'; drop table t; --", "it''s", "\\'", "a\x00b", '"', "/*", "--", "{0}", "{", "}", "%s", "\n", "é𝄞"]
)
def test_a_text_stays_a_text_wherever_it_stands(text: str) -> None:
    written = text.replace("'", "''")
    constant = Constant(String(), text)
    with duckdb.connect() as con:
        for expression in (
            constant,
            Call(String(), "coalesce", (constant,)),
            Call(String(), "concatenate", (constant, Constant(String(), ""))),
        ):
            assert con.execute(f"SELECT {ExpressionPrinter().sql(expression)}").fetchone() == (text,)
    if "\x00" not in text:
        read: Expr = parse_expression(f"'{written}'", Schema())
        assert read == constant


@pytest.mark.parametrize("name", ['a"b', "a; drop", "select", "{0}", "a b", "é"])
def test_a_name_stays_a_name(name: str) -> None:
    expression = Call(Boolean(), "is_null", (ColumnRef(Integer(32), name),))
    quoted = name.replace('"', '""')
    with duckdb.connect() as con:
        assert con.execute(f'SELECT {ExpressionPrinter().sql(expression)} FROM (SELECT 1 AS "{quoted}")').fetchone() == (False,)
