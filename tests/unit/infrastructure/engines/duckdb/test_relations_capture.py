"""A column of a query around is never taken for one inside, however queries are merged and whatever things are called."""

from __future__ import annotations

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.processing.relation import Dataset
from headrace.business.processing.select import bind_select
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter

DATASETS = {
    "t": Dataset(Schema.of(a=Integer(32), b=Integer(32)), "t"),
    "u": Dataset(Schema.of(a=Integer(32), t=Integer(32), c=Integer(32)), "u"),
}


@pytest.mark.parametrize(
    "text",
    [
        "select u.c from u where exists (select 1 from t where t.b = u.t)",
        "select u.c, (select count(*) from t where t.a = u.a) as n from u",
        "select u.c from u where u.c in (select b as c from t where t.a = u.c)",
        "select u.c from u where u.t in (select t.b as a from t where t.a <= u.a)",
        "select u.c, (select max(x.b) as t from (select a, b from t where b < 9) x where x.a = u.t) as m from u",
        "select u.c from u where exists (select 1 from t where t.a = u.a and exists (select 1 from u v where v.t = u.t and v.c = t.b))",
        "select u.c, (select sum(t.b + u.a) from t where t.a > u.a group by t.a order by t.a desc limit 1) as s from u",
        "select u.c, (select max(x) from (select u.c as x, t.b from t)) as m from u",
        "select u.c, (select max(r) from (select rank() over (order by x) as r from (select u.c as x from t))) as m from u",
    ],
)
def test_correlated_queries_mean_what_they_say(text):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 1), (2, 5), (2, 3), (3, NULL), (NULL, 2)) v(a, b)")
        connection.execute(
            "CREATE TABLE u AS SELECT * FROM (VALUES (2, 1, 3), (1, 2, 5), (5, 5, 2), (NULL, 3, NULL)) v(a, t, c)"
        )
        printed = RelationPrinter({"t": '"t"', "u": '"u"'}).query(bind_select(text, DATASETS))
        found = connection.execute(printed).fetchall()
        assert sorted(map(repr, found)) == sorted(map(repr, connection.execute(text).fetchall())), printed
