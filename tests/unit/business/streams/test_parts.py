"""Parts of aggregates: what is kept of some rows, merged with what is kept of others, gives what all rows together give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, pvariance, variance

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String
from headrace.business.processing.expressions.parse import parse_expression
from headrace.business.processing.relation import Dataset
from headrace.business.processing.stateful import Groups
from headrace.business.streams.groups import KeptGroups
from headrace.business.streams.parts import Parts
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter

SCHEMA = Schema.of(k=String(), x=Float(64), n=Integer(64))


def kept(*measures: str) -> KeptGroups:
    read = tuple((f"m{i}", parse_expression(text, SCHEMA, aggregates=True)) for i, text in enumerate(measures))
    groups = Groups(Dataset(SCHEMA, "rows"), (), read, None, "change", 0)
    return KeptGroups(groups, Schema.of(**{name: e.type for name, e in read}))


def merged(groups: KeptGroups, pieces: Sequence[Sequence[tuple[str | None, float | None, int | None]]]) -> tuple[object, ...]:
    """The measures of all rows, of which each piece was kept by itself."""
    with duckdb.connect() as con:
        con.execute('CREATE TABLE rows (k VARCHAR, x DOUBLE, n BIGINT, "#:watermark" BIGINT)')
        for i, piece in enumerate(pieces):
            con.execute("DELETE FROM rows")
            con.executemany("INSERT INTO rows VALUES (?, ?, ?, NULL)", [list(row) for row in piece])
            made = RelationPrinter({"rows": "rows"}).query(groups.taken(Dataset(SCHEMA, "rows")))
            con.execute(f"{'INSERT INTO kept' if i else 'CREATE TABLE kept AS'} {made}")
        statement = RelationPrinter({"kept": "kept"}).query(
            groups.changed(Dataset(groups.kept_schema, "kept"), Dataset(groups.kept_schema, "kept"))
        )
        (row,) = con.execute(statement).fetchall()
        return row


def test_variances_of_large_values_lose_no_digits() -> None:
    values = [1e9 + i * 1e-3 for i in (4, 7, 13, 16, 1, 2, 3)]
    pieces = [[("a", x, None) for x in values[i : i + 2]] for i in range(0, len(values), 2)]
    sample, population, deviation = merged(kept("variance(x)", "var_pop(x)", "stddev(x)"), pieces)
    assert sample == pytest.approx(variance(values), rel=1e-9)
    assert population == pytest.approx(pvariance(values), rel=1e-9)
    assert deviation == pytest.approx(math.sqrt(variance(values)), rel=1e-9)


def test_a_variance_of_nothing_and_of_one_value_is_unknown() -> None:
    assert merged(kept("variance(x)", "var_pop(x)", "stddev_pop(x)"), [[("a", None, 1)], [("a", None, 2)]]) == (
        None,
        None,
        None,
    )
    assert merged(kept("variance(x)", "var_pop(x)"), [[("a", 2.5, 1)], [("a", None, 2)]]) == (None, 0.0)


def test_integers_are_added_up_beyond_what_a_part_can_hold() -> None:
    most = 2**63 - 1
    pieces = [[("a", None, most), ("a", None, most)], [("a", None, -most), ("a", None, 5 - most)]]
    assert merged(kept("sum(n)"), pieces) == (5,)


def test_means_are_of_rows_and_not_of_parts() -> None:
    pieces = [[("a", 1.0, 1), ("b", 2.0, None), ("a", None, 3)], [("a", 9.0, 4)]]
    assert merged(kept("avg(x)", "avg(n) filter (where k = 'a')", "sum(x) / count(*) + 1"), pieces) == (
        fmean([1, 2, 9]),
        fmean([1, 3, 4]),
        4.0,
    )


def test_the_first_by_an_order_may_be_null_and_parts_without_rows_do_not_count() -> None:
    pieces = [[("b", None, 2)], [("a", 7.0, 3), ("a", 5.0, 1)], [("c", 1.0, None)]]
    measures = (
        "first(x order by n)",
        "last(x order by n)",
        "first(x order by n) filter (where k = 'b')",
        "last(n order by k desc, x)",
    )
    assert merged(kept(*measures), pieces) == (5.0, 1.0, None, 3)


def test_the_row_of_the_greatest_is_found_across_parts_and_ties_go_by_value() -> None:
    pieces = [[("b", 1.0, 9), ("z", None, 99)], [("a", 1.0, 9)], [(None, 0.0, 100)]]
    assert merged(kept("arg_max(k, n)", "arg_min(k, x)"), pieces) == ("z", "a")


def test_the_same_part_is_kept_once() -> None:
    measures = kept("avg(x)", "sum(x)", "count(x)", "sum(x) / count(x)").groups.measures
    assert len(Parts.of(measures, ()).parts) == 2


@pytest.mark.parametrize(
    "measure", ["median(x)", "count(distinct k)", "list(n order by n)", "sum(distinct n)", "mode(k)", "corr(x, n)"]
)
def test_what_does_not_merge_keeps_the_rows(measure: str) -> None:
    groups = kept(measure, "count(*)")
    assert len(groups.parts.whole) == 1
    assert set(groups.kept_schema.names) <= {"#:row k", "#:row x", "#:row n", "#:slot"}
    pieces = [[("a", 1.0, 4), ("b", 2.0, 4)], [("a", 7.0, 9)]]
    assert merged(groups, pieces)[1] == 3
