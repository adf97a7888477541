"""Queries that nobody would write, and queries inside of expressions, give on Spark the rows that they give on DuckDB, or are refused.
(For those of TPC-H, see `test_tpch`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engines import tables as of_duckdb
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.engines.spark.comparing import few
from tests.conformance.engines.spark.tables import fill, together
from tests.conformance.engines.test_queries import TABLES
from tests.conformance.select.test_random_queries import queries

from headrace.business.processing.relation import Dataset, Relation
from headrace.business.processing.select import bind_select

#: What is tested by a query, valued, nested and correlated in ways that Spark carries out as it should.
THE_SAME = """
select a, a in (select a from u) as n from t
select a, a not in (select a from u) as n, coalesce(a not in (select a from u), true) as m from t
select a from t where (a in (select a from u)) is null
select a from t where not (a in (select a from u) and b > 5)
select a from t where (a is null) = (exists (select * from u where u.a = t.a))
select a, case when a not in (select a from u where a is not null) or b = 30 then 1 else 0 end as n from t
select a from t where a in (select id from e where not (boss in (select a from u)))
select a in (select a from u) as m, count(*) as n from t group by 1
select s, count(*) as n from t group by s having s not in (select k from u where k is not null) or count(*) > 2
select bool_or(a in (select a from u)) as n, bool_and(a in (select a from u)) as m, count(*) filter (where a not in (select a from u where a is not null)) as c from t
select t.a, u.c from t left join u on t.a = u.a and u.c not in (select boss from e)
select t.a, u.c from t full join u on t.a = u.a and not exists (select * from e where e.id = t.a)
select a, (select sum(c) - t.b from u where u.a = t.a) as n from t
select a, (select count(distinct c) + t.a from u where u.a < t.b having count(*) > t.a) as n from t
select a, (select c from u where u.a >= t.a order by c desc limit 1 offset 1) as n from t
select a, (select c from u order by abs(c - t.b), c limit 1) as n from t
select a, (select max(x) from (select t.b as x, c from u)) as n from t
select a, (select max(n) from (select x, count(*) as n from (select t.b as x, c from u) group by x)) as n from t
select a, (select max(r) from (select rank() over (order by x) as r from (select t.b as x, c from u))) as n from t
select a, (select max(x) from (select c as x from u where u.a = t.a except select b from t t2 where t2.a = t.a)) as n from t
select a, (select max(c) from (select * from u where u.a = t.a) u left join e on u.a = e.id) as n from t
select a, exists (select * from u where u.a = t.a and u.c > (select min(pay) / 10 from e where e.id <= u.a)) as n from t
select count(*) as n from t group by (select max(c) from u where u.a = t.a)
select s, a from (select s, a, b from t order by (select max(c) from u where u.a = t.a), a, s limit 3)
select a from t where exists (select a from u where u.a = t.a union all select a from u where u.c = t.b)
""".strip().splitlines()

REFUSED = {
    # Found by the test below before its reason was known.
    "select (x00.n + 1) as n, abs(x01.boss - x00.n) as m from (select x20.a as n, sum(x20.a) as m from t x20 group by 1 having count(x20.a) > 1) x00 full join e x01 on x00.n = x01.id where exists (select * from e x10 join u x11 on x10.pay = x11.c where exists (select * from e x20 where x01.id >= coalesce(x20.pay, 0)))": "only from the query right inside",
    "select a from t where a in (select a from u where u.c in (select pay from e where e.id = t.b))": "only from the query right inside",
    "select a from t where exists (select * from u where t.b + u.c in (select pay from e))": "whether it is IN a further query",
    "select a, (select max(pay) from u x left join (select * from e where e.id = t.a) e on x.a = e.id) as n from t": "side of an outer join",
    "select a, (select sum(c + t.b) from u where u.a = t.a) as n from t": "into groups, aggregates",
    "select a, (select count(*) filter (where u.c > t.b) from u) as n from t": "into groups, aggregates",
    "select a, (select count(*) from u group by t.a) as n from t": "into groups, aggregates",
    "select a, (select max(r) from (select rank() over (partition by t.a order by c) as r from u)) as n from t": "into groups, aggregates, windows",
    "select a, (select max((select max(pay) from e where e.id = u.a)) from u where u.a = t.a) as n from t": "within another such query",
    "select t.a, u.c from t join u on t.a = u.a and exists (select * from e where e.id = t.a and e.pay > u.c)": "columns of one side",
    "select t.a, u.c from t left join u on t.a + u.c in (select id from e)": "columns of one side",
    "select t.a, u.c from t join u on t.a = u.a and u.c > (select min(id) from e where e.id = t.a)": "no single value",
    "select t.a, u.c from t join u on t.a = u.a and (u.c not in (select boss from e) or t.b = 20)": "IN with a query wrongly",
    "select upper((select max(k) from u)) as n from t": "item by item",
    "select list(a in (select a from u) order by b) as n from t": "item by item",
    "select first(a order by a in (select a from u), b) as n from t": "item by item",
}  # fmt: skip
#: Why one of the random queries may be refused.
REASONS = (
    "only from the query right inside",
    "whether it is IN a further query",
    "columns of one side",
    "within another such query",
)


@pytest.fixture(scope="module")
def filled(spark: Spark, duckdb: DuckDB) -> tuple[Mapping[str, str], Mapping[str, str]]:
    of_duckdb.fill(duckdb, TABLES)
    return fill(spark, TABLES, "queries"), {name: duckdb.identifier(name) for name in TABLES}


def bound(text: str) -> Relation:
    return bind_select(text, {name: Dataset(schema, name) for name, (schema, _) in TABLES.items()})


def compare(texts: list[str], spark: Spark, duckdb: DuckDB, filled: Any) -> None:
    relations = [bound(text) for text in texts]
    on_spark, on_duckdb = filled
    found, meant = together(spark, relations, on_spark), together(duckdb, relations, on_duckdb)
    assert [unlike for unlike in zip(texts, found, meant, strict=True) if unlike[1] != unlike[2]] == []


def test_queries_inside_of_expressions(spark: Spark, duckdb: DuckDB, filled: Any) -> None:
    assert [why for text in THE_SAME for why in spark.relation_problems(bound(text))] == []
    compare(THE_SAME, spark, duckdb, filled)


@pytest.mark.parametrize("text", REFUSED)
def test_what_spark_would_refuse_is_refused_before_it_runs(spark: Spark, text: str) -> None:
    (why,) = spark.relation_problems(bound(text))
    assert REFUSED[text] in why


@given(texts=st.lists(queries(), min_size=12, max_size=12, unique=True))
@few(3)
def test_random_queries(spark: Spark, duckdb: DuckDB, filled: Any, texts: list[str]) -> None:
    refused = {text: why for text in texts if (why := spark.relation_problems(bound(text)))}
    assert [why for reasons in refused.values() for why in reasons if not any(reason in why for reason in REASONS)] == []
    assert len(refused) < len(texts) / 2
    compare([text for text in texts if text not in refused], spark, duckdb, filled)
