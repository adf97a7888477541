"""Steps that bring datasets together: join, lookup, union, sql, python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.steps.kitchen import bag
from tests.conformance.steps.rows import LAW, OTHER_ROWS, OTHER_SCHEMA, ROWS, SCHEMA

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Decimal, Integer, String


def _tables(kitchen, rows, others):
    kitchen.table("t", SCHEMA, rows)
    kitchen.table("u", OTHER_SCHEMA, others)


def _joined(rows, others, how, condition, combine):
    """Nested loops."""
    found, met = [], set()
    for left in rows:
        partners = [i for i, right in enumerate(others) if condition(left, right)]
        met.update(partners)
        if (how == "semi" and partners) or (how == "anti" and not partners):
            found.append(left)
        if how in ("inner", "left", "right", "full"):
            found += [combine(left, others[i]) for i in partners]
            if not partners and how in ("left", "full"):
                found.append(combine(left, None))
    if how in ("right", "full"):
        found += [combine(None, right) for i, right in enumerate(others) if i not in met]
    return found


@LAW
@given(rows=ROWS, others=OTHER_ROWS, how=st.sampled_from(["inner", "left", "right", "full", "semi", "anti"]))
def test_join_by_columns(kitchen, rows, others, how):
    _tables(kitchen, rows, others)

    def combine(left, right):
        ours = left or dict.fromkeys(SCHEMA.names)
        theirs = right or dict.fromkeys(OTHER_SCHEMA.names)
        return {**ours, "k": (left or right)["k"], "s_u": theirs["s"], "n": theirs["n"]}

    expected = _joined(rows, others, how, lambda a, b: a["k"] is not None and a["k"] == b["k"], combine)
    assert bag(kitchen.run({"join": {"with": "u", "on": ["k"], "how": how, "suffix": "_u"}})) == bag(expected)


@LAW
@given(rows=ROWS, others=OTHER_ROWS, how=st.sampled_from(["inner", "left", "semi", "anti"]))
def test_join_by_a_condition_over_the_names_that_come_out(kitchen, rows, others, how):
    _tables(kitchen, rows, others)

    def combine(left, right):
        theirs = right or dict.fromkeys(OTHER_SCHEMA.names)
        return {**left, "u.k": theirs["k"], "u.s": theirs["s"], "n": theirs["n"]}

    def below(a, b):
        return a["k"] is not None and b["k"] is not None and a["k"] < b["k"]

    found = kitchen.run({"join": {"with": "u", "on": 'k < "u.k"', "how": how, "prefix": "u."}})
    assert bag(found) == bag(_joined(rows, others, how, below, combine))


@LAW
@given(rows=ROWS, others=OTHER_ROWS)
def test_join_by_columns_of_other_names_and_several_at_once(kitchen, rows, others):
    _tables(kitchen, rows, others)
    found = kitchen.run({"join": {"with": "u", "on": {"k": "k", "s": "n"}, "suffix": "2"}})

    def alike(a, b):
        return None not in (a["k"], a["s"]) and (a["k"], a["s"]) == (b["k"], b["n"])

    assert bag(found) == bag(_joined(rows, others, "inner", alike, lambda a, b: {**a, "s2": b["s"]}))


@LAW
@given(rows=ROWS, others=OTHER_ROWS)
def test_cross_join_pairs_every_row_with_every_row(kitchen, rows, others):
    _tables(kitchen, rows, others)
    found = kitchen.run({"join": {"with": "u", "how": "cross", "prefix": "u_"}})
    assert bag(found) == bag([{**a, "u_k": b["k"], "u_s": b["s"], "n": b["n"]} for a in rows for b in others])


@LAW
@given(rows=ROWS, others=OTHER_ROWS, missing=st.sampled_from(["null", "drop"]))
def test_lookup_gives_every_row_at_most_one_partner(kitchen, rows, others, missing):
    unique = list({r["k"]: r for r in others if r["k"] is not None}.values())
    _tables(kitchen, rows, unique)
    written = {"with": "u", "on": "k", "take": {"word": "s", "n": "n"}, "default": {"n": "unknown"}, "missing": missing}
    by_key = {r["k"]: r for r in unique}
    expected = []
    for row in rows:
        found = by_key.get(row["k"])
        if found or missing == "null":
            n = found and found["n"]
            expected.append({**row, "word": found and found["s"], "n": "unknown" if n is None else n})
    assert bag(kitchen.run({"lookup": written})) == bag(expected)


def test_a_join_of_a_dataset_with_itself(kitchen):
    schema = Schema.of(id=Integer(32), boss=Integer(32))
    kitchen.table("t", schema, [{"id": 1, "boss": None}, {"id": 2, "boss": 1}, {"id": 3, "boss": 1}])
    found = kitchen.run({"join": {"with": "t", "on": {"boss": "id"}, "suffix": "_above", "how": "left"}})
    assert bag(found) == bag([{"id": i, "boss": b, "boss_above": None} for i, b in ((1, None), (2, 1), (3, 1))])


def test_keys_of_different_number_types_compare_exactly(kitchen):
    kitchen.table("t", Schema.of(k=Integer(64)), [{"k": 2**53 + 1}, {"k": 7}])
    kitchen.table("u", Schema.of(k=Decimal(20, 2), n=String()), [{"k": 2**53, "n": "near"}, {"k": 2**53 + 1, "n": "same"}])
    for how in ("inner", "right", "full", "left"):
        found = kitchen.run({"join": {"with": "u", "on": "k", "how": how}})
        assert [r["n"] for r in found if r["k"] == 2**53 + 1] == ["same"], how


@LAW
@given(rows=ROWS, others=OTHER_ROWS, distinct=st.booleans())
def test_union_goes_by_name_and_fills_with_null(kitchen, rows, others, distinct):
    _tables(kitchen, rows, others)
    names = [*SCHEMA.names, "n"]
    expected = bag([{n: r.get(n) for n in names} for r in (*rows, *others, *others)])
    found = bag(kitchen.run({"union": {"with": ["u", "u"], "distinct": distinct}}))
    assert found == (sorted(set(expected)) if distinct else expected)


def test_union_widens_numbers_and_keeps_what_is_known(kitchen):
    left = Schema((Column("a", Integer(32), False, "pii"), Column("B", String(), False)))
    right = Schema((Column("b", String(), False), Column("a", Decimal(9, 2), False)))
    kitchen.table("t", left, [{"a": 1, "B": "x"}])
    kitchen.table("u", right, [{"b": "y", "a": 2.5}])
    assert list(map(str, kitchen.relation("union", "u").schema)) == ["a: decimal(12, 2) not null", "B: string not null"]
    assert kitchen.relation("union", "u").schema["a"].classification == "pii"
    assert sorted(float(r["a"]) for r in kitchen.run({"union": "u"})) == [1.0, 2.5]


@LAW
@given(rows=ROWS, others=OTHER_ROWS)
def test_sql_reads_datasets_by_name_and_the_one_before_as_input(kitchen, rows, others):
    _tables(kitchen, rows, others)
    found = kitchen.run(
        {"filter": "k > 0"},
        {"sql": "select i.k, count(*) as n from input i join u using (k) where u.n is not null group by all"},
    )
    counts = {}
    for a in rows:
        for b in others:
            if a["k"] is not None and a["k"] > 0 and a["k"] == b["k"] and b["n"] is not None:
                counts[a["k"]] = counts.get(a["k"], 0) + 1
    assert bag(found) == bag([{"k": k, "n": n} for k, n in counts.items()])


def test_a_step_that_is_read_twice_is_one_dataset(kitchen):
    kitchen.table("t", Schema.of(k=Integer(32)), [{"k": i} for i in range(5)])
    found = kitchen.run({"filter": "k > 1"}, {"sql": 'select count(*) as n from input a join "filter 0" b using (k)'})
    assert found == [{"n": 3}]


def test_a_python_step_takes_arrow_tables_and_arguments(kitchen):
    import pyarrow as pa

    kitchen.table("t", Schema.of(k=Integer(32)), [])
    kitchen.table("u", OTHER_SCHEMA, [])
    made = kitchen.relation("python", {"call": _longer, "with": "u", "schema": {"k": "int64"}, "arguments": {"extra": 3}})
    table = made.call(pa.table({"k": [1]}), pa.table({"k": [5]}))
    assert table.to_pylist() == [{"k": 1}, {"k": 5}, {"k": 3}]
    assert list(map(str, made.schema)) == ["k: int64"]
    assert made.datasets() == ("t", "u")


def _longer(table, other, *, extra):
    import pyarrow as pa

    return pa.concat_tables([table, other, pa.table({"k": [extra]})])


@pytest.mark.parametrize(
    "text",
    ["select * from read_csv('/etc/passwd')", "attach 'x.db'", "select 1; drop table t", "copy t to 'x'", "pragma version"],
)
def test_sql_can_reach_nothing_but_datasets(kitchen, text):
    from headrace.errors import DefinitionError

    kitchen.table("t", SCHEMA, [])
    with pytest.raises(DefinitionError) as caught:
        kitchen.relation("sql", text)
    assert [p.path for p in caught.value.problems] == [("query",)]
