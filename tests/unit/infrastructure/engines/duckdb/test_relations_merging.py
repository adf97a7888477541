"""However nodes are merged into SELECTs, the rows are the same as when each step is carried out alone."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.processing.relation import Dataset, Relation
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter, with_clause

SCHEMA = Schema.of(a=Integer(64), b=Integer(64), s=String())

#: Steps that take these three columns and give them again.
STEPS: list[list[dict[str, Any]]] = [
    [{"filter": "a > 0"}],
    [{"filter": "s is null or b < a or s = 'x'"}],
    [{"derive": {"a": "b - a", "b": "a"}}],
    [{"derive": {"c": "a + b", "b": "c + 1"}}, {"select": ["a", "b", "s"]}],
    [{"rename": {"a": "b", "b": "a"}}, {"select": ["a", "b", "s"]}],
    [{"rename": {"a": "b", "b": "z"}}, {"rename": {"b": "a", "z": "b"}}],
    [{"select": ["s", "b", "a"]}, {"select": ["a", "b", "s"]}],
    [{"sort": ["-a", "s"]}, {"limit": 4}],
    [{"sort": ["-b", "abs(a)", "s nulls first"]}, {"derive": {"b": "a"}}, {"limit": {"rows": 3, "offset": 1}}],
    [{"sort": ["s", "a"]}, {"filter": "b > 0"}, {"select": ["a", "b"]}, {"limit": 5}, {"derive": {"s": "'new'"}}],
    [{"limit": 1000}],
    [{"aggregate": {"by": ["s"], "measures": {"a": "sum(a)", "b": "count(*)"}}}, {"filter": "b > 1"}, {"select": ["a", "b", "s"]}],
    [{"aggregate": {"by": {"s": "s", "b": "b % 2"}, "measures": {"a": "max(a) + 1"}}}, {"derive": {"a": "a - b"}}, {"select": ["a", "b", "s"]}],
    [{"aggregate": {"by": {"a": 7, "s": "s"}, "measures": {"b": "min(b)"}}}, {"select": ["a", "b", "s"]}],
    [{"window": {"partition_by": "s", "columns": {"b": "sum(a)"}}}],
    [{"window": {"columns": {"n": "count(*)"}}}, {"filter": "n > 2 and a > -3"}, {"select": {"drop": "n"}}],
    [{"dedupe": {"key": ["a", "s"], "order_by": "b"}}],
    [{"dedupe": {}}],
    [{"clean": {"trim": "*", "nulls": ["x"], "fill": {"a": 0}}}],
    [{"sample": 0.6}],
    [{"sample": {"rows": 4, "seed": 3}}],
    [{"join": {"with": "t", "on": ["a"], "prefix": "other_"}}, {"select": ["a", "b", "s"]}],
    [{"join": {"with": "t", "on": "a < t_b", "prefix": "t_", "how": "left"}}, {"derive": {"b": "coalesce(t_a, b)"}}, {"select": ["a", "b", "s"]}],
    [{"join": {"with": "t", "on": {"b": "a"}, "how": "anti"}}],
    [{"union": "t"}],
    [{"unpivot": {"columns": ["a", "b"], "name_to": "which", "value_to": "v"}}, {"derive": {"a": "v", "b": "length(which)"}}, {"select": ["a", "b", "s"]}],
    [{"sql": "select a, b, s from input i where exists (select 1 from t where t.a = i.b) or b in (select a from t where s = 'x')"}],
    [{"sql": "select max(a) as a, b, s from input group by b, s having count(*) < 3 order by b limit 6"}, {"sort": ["a", "b", "s"]}, {"limit": 5}],
]  # fmt: skip

ROW = st.tuples(st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3), st.sampled_from([None, "x", " x ", "y"]))


def _apply(step: dict[str, Any], inputs: dict[str, Relation]) -> Relation:
    ((kind, written),) = step.items()
    made = getattr(importlib.import_module(f"headrace.business.processing.steps.{kind}"), f"{kind.capitalize()}Step")
    relation: Relation = made.model_validate(made.written(written)).apply(inputs)
    return relation


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as found:
        yield found


def _fill(connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    connection.execute("CREATE OR REPLACE TABLE t (a BIGINT, b BIGINT, s VARCHAR)")
    if rows:
        connection.execute(f"INSERT INTO t VALUES {', '.join(['(?, ?, ?)'] * len(rows))}", [v for row in rows for v in row])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    rows=[(None, None, None)] * 4 + [(None, None, "x")],
    chain=[[{"sort": ["-a", "s"]}, {"limit": 4}], [{"dedupe": {"key": ["a", "s"], "order_by": "b"}}]],
)
@given(rows=st.lists(ROW, max_size=12), chain=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4))
def test_one_tree_gives_the_rows_of_step_by_step(connection, rows, chain):
    _fill(connection, rows)
    base = Dataset(SCHEMA, "t")
    whole: Relation = base
    fused: list[tuple[str, Relation]] = []
    connection.execute("CREATE OR REPLACE TABLE stage AS SELECT * FROM t")
    for steps in chain:
        alone: Relation = Dataset(SCHEMA, "stage")
        for step in steps:
            whole = _apply(step, {"t": base, "input": whole})
            alone = _apply(step, {"t": base, "input": alone})
            last = Dataset(fused[-1][1].schema, fused[-1][0]) if fused else base
            fused.append((f"step {len(fused)}", _apply(step, {"t": base, "input": last})))
        if not any("limit" in step for step in steps) or len(steps) > 1:
            connection.execute(f"CREATE OR REPLACE TABLE stage AS {RelationPrinter({}).query(alone)}")
    statement = RelationPrinter({"t": '"t"'}).query(whole)
    expected = sorted(map(repr, connection.execute("SELECT * FROM stage").fetchall()))
    assert sorted(map(repr, connection.execute(statement).fetchall())) == expected, statement
    statement = with_clause(fused, fused[-1][0], {"t": '"t"'})
    assert sorted(map(repr, connection.execute(statement).fetchall())) == expected, statement
