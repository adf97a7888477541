"""Names and values from outside never become SQL."""

from __future__ import annotations

import pytest
from tests.conformance.steps.kitchen import bag

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, List, String

HOSTILE = [
    'a"; drop table "t"; --', "a'b", "select", "x y", "größe", "名前", "a\nb", "/* x", "-- x", "a.b", '"', '""', "\u202eabc", "n", "*", "$1", "{0}", "a" * 200,
]  # fmt: skip


@pytest.fixture(params=HOSTILE, ids=[f"name{i}" for i in range(len(HOSTILE))])
def name(request):
    return request.param


def test_every_step_takes_every_name(kitchen, name):
    schema = Schema.of(**{name: Integer(32), "k": Integer(32), "items": List(String())})
    rows = [{name: i % 2, "k": i, "items": ["x"]} for i in range(4)]
    kitchen.table(name, schema, rows)
    quoted = '"' + name.replace('"', '""') + '"'
    two = [{name: 0, "k": 0, "items": ["x"]}, {name: 1, "k": 1, "items": ["x"]}]
    assert bag(kitchen.run({"dedupe": {"key": [name], "order_by": "k"}})) == bag(two)
    assert bag(kitchen.run({"sort": name}, {"limit": 4})) == bag(rows)
    assert bag(kitchen.run({"select": [name, "k", "items"]}, {"rename": {name: "z"}}, {"rename": {"z": name}})) == bag(rows)
    assert bag(kitchen.run({"filter": f"{quoted} >= 0"}, {"derive": {name: f"{quoted} + 0"}})) == bag(rows)
    assert bag(kitchen.run({"clean": {"fill": {name: 0}, "clip": {name: [0, 9]}, "nulls": {name: [-1]}}})) == bag(rows)
    assert len(kitchen.run({"join": {"with": name, "on": [name], "suffix": "_2"}})) == 8
    assert bag(kitchen.run({"aggregate": {"by": [name], "measures": {"how many": "count(*)"}}})) == bag(
        [{name: i, "how many": 2} for i in (0, 1)]
    )
    assert bag(kitchen.run({"window": {"partition_by": name, "order_by": "k", "columns": {"#": "row_number()"}}})) == bag(
        [{**r, "#": r["k"] // 2 + 1} for r in rows]
    )
    assert len(kitchen.run({"unpivot": {"columns": [name, "k"], "name_to": "which"}})) == 8
    assert bag(kitchen.run({"union": name})) == bag(rows + rows)
    assert len(kitchen.run({"pivot": {"by": "k", "on": name, "values": {name + "!": 1}, "measure": "count(*)"}})) == 4
    assert len(kitchen.run({"sample": {"rows": 2}})) == 2


@pytest.mark.parametrize("value", ["'; drop table t; --", "\\", "a'b", "%", "${x}", "{0}"])
def test_values_stay_values(kitchen, value):
    kitchen.table("t", Schema.of(s=String(), k=Integer(32)), [{"s": None, "k": 1}, {"s": value, "k": 2}])
    assert [r["s"] for r in kitchen.run({"clean": {"fill": {"s": value}}})] == [value, value]
    assert kitchen.run({"clean": {"nulls": [value]}}, {"filter": "s is not null"}) == []
    (row,) = kitchen.run({"pivot": {"on": "s", "values": [value], "measure": "max(k)"}})
    assert row == {value: 2}
