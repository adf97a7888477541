"""What the columns of a result are called, which of them may be null, and where their names come from."""

from __future__ import annotations

import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Decimal, Float, Integer, Null, String
from headrace.business.processing.relation import Dataset, Join, Project, SetOperation, Values
from headrace.business.processing.select import bind_select


def names(text: str, datasets) -> tuple[str, ...]:
    return bind_select(text, datasets).schema.names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from flights", ("Carrier", "flight", "delay", "day")),
        ("SELECT CARRIER, FLIGHTS.DAY FROM FLIGHTS", ("Carrier", "day")),
        ("select carrier as CARRIER from flights", ("CARRIER",)),
        ("select count(*), min(day), cast(max(delay) as varchar) as m from flights", ("count", "min", "m")),
        ("select cast(flight as varchar), (delay), sum(delay) over (order by day) from flights", ("flight", "delay", "sum")),
        ("select case when delay > 1 then 1 end, extract(year from day) from flights", ("case", "extract")),
        ("select x: flight from flights", ("x",)),
        ("select f.* exclude (day, delay) rename (flight as number) from flights f", ("Carrier", "number")),
        ("select * from flights join airlines using (carrier)", ("Carrier", "flight", "delay", "day", "name")),
        ("select * from airlines natural join flights", ("carrier", "name", "flight", "delay", "day")),
        ("select * from airlines a(code)", ("code", "name")),
        ("with v(code) as (select * from airlines) select * from v", ("code", "name")),
        ("values (1, 'x')", ("col0", "col1")),
        ("select carrier from flights union select name as other from airlines", ("Carrier",)),
        ("select flight, day from flights union all by name select carrier, DAY from flights", ("flight", "day", "Carrier")),
    ],
)
def test_names(text: str, expected: tuple[str, ...], datasets) -> None:
    assert names(text, datasets) == expected


@pytest.mark.parametrize(
    ("how", "left", "right"),
    [("inner", False, False), ("left", False, True), ("right", True, False), ("full", True, True), ("cross", False, False)],
)
def test_a_join_makes_the_side_nullable_that_may_be_missing(how: str, left: bool, right: bool, datasets) -> None:
    on = "" if how == "cross" else "on f.carrier = a.carrier"
    schema = bind_select(f"select flight, name from flights f {how} join airlines a {on}", datasets).schema
    assert (schema["flight"].nullable, schema["name"].nullable) == (left, right)


def test_columns_that_are_passed_on_keep_what_is_known_of_them(datasets) -> None:
    schema = bind_select("select carrier as code, upper(carrier) as big, flight + 1 as next from flights", datasets).schema
    assert schema["code"] == Column("code", String(), nullable=False, classification="internal")
    assert schema["big"].classification == "internal"
    assert schema["next"].classification is None


def test_a_union_may_be_null_where_either_side_may(datasets) -> None:
    schema = bind_select(
        "select flight, carrier from flights union all select delay, name from airlines, flights", datasets
    ).schema
    assert (schema["flight"].nullable, schema["Carrier"].nullable) == (True, False)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1", "2.5", Decimal(11, 1)),
        ("1", "2.5::double", Float(64)),
        ("null", "1", Integer(32)),
        ("date '2024-01-01'", "null", Date()),
        ("null", "null", Null()),
    ],
)
def test_a_union_has_the_type_that_both_sides_fit(left: str, right: str, expected: object, datasets) -> None:
    for first, second in ((left, right), (right, left)):
        assert bind_select(f"select {first} as x union all select {second}", datasets).schema["x"].type == expected


def test_a_dataset_that_is_only_renamed_is_not_wrapped(datasets) -> None:
    assert bind_select("select * from flights f", datasets) is datasets["flights"]


def test_a_union_of_many_is_one_node(datasets) -> None:
    relation = bind_select("select flight from flights union all select delay from flights union all select 1", datasets)
    assert isinstance(relation, SetOperation)
    assert len(relation.parts) == 3


def test_a_query_without_from_reads_nothing(datasets) -> None:
    relation = bind_select("select 1 as one", datasets)
    assert relation.datasets() == ()
    assert isinstance(relation, Project)
    assert isinstance(relation.input, Values)


def test_every_dataset_that_is_read_is_named_once(datasets) -> None:
    text = "with v as (select * from airlines) select flight from flights where carrier in (select carrier from v) or exists (select 1 from v)"
    assert bind_select(text, datasets).datasets() == ("airlines", "flights")


def test_columns_that_nothing_reads_are_left_out(datasets) -> None:
    """So that a source is not asked for them: here a join renames the four columns of one side, and one of them is used."""
    relation = bind_select("select a.flight from flights a join (select * from flights) b on a.flight = b.flight", datasets)
    (join,) = (node for node in relation.walk() if isinstance(node, Join))
    assert join.right.schema.names == ("b.flight",)


def test_a_step_of_any_shape_can_be_read(datasets) -> None:
    """Inputs need not be leaves: steps that are fused are trees."""
    inner = bind_select("select carrier, sum(delay) as delay from flights group by carrier", datasets)
    relation = bind_select("select name, delay from late join airlines using (carrier)", {**datasets, "late": inner})
    assert relation.schema.names == ("name", "delay")
    assert set(relation.datasets()) == {"flights", "airlines"}


def test_names_differ_from_those_of_the_datasets() -> None:
    """DuckDB takes the bare name of a table for a row of it, so no column of a query may be called like a dataset."""
    country = Dataset(Schema((Column("country", String()), Column("code", String()))), "country")
    relation = bind_select(
        "select code from country c where exists (select 1 from country where country.code = c.country)", {"country": country}
    )
    assert all(name != "country" for node in relation.walk() if not isinstance(node, Dataset) for name in node.schema.names)
