"""The text that people read, and what a statement leaves out."""

from __future__ import annotations

import importlib
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String, Timestamp
from headrace.business.processing.relation import Dataset, Dedupe, Relation
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter, with_clause

FLIGHTS = Schema.of(carrier=String(), flight=Integer(32), delay=Float(64), at=Timestamp())
AIRLINES = Schema.of(carrier=String(), name=String())
TABLES = {"flights": '"flights"', "airlines": '"airlines"'}


def _step(kind: str, written: Any, inputs: dict[str, Relation]) -> Relation:
    made = getattr(importlib.import_module(f"headrace.business.processing.steps.{kind}"), f"{kind.capitalize()}Step")
    relation: Relation = made.model_validate(made.written(written)).apply(inputs)
    return relation


def _chain(*steps: tuple[str, Any]) -> list[tuple[str, Relation]]:
    inputs: dict[str, Relation] = {"flights": Dataset(FLIGHTS, "flights"), "airlines": Dataset(AIRLINES, "airlines")}
    inputs["input"] = inputs["flights"]
    made = []
    for kind, written in steps:
        relation = _step(kind, written, inputs)
        made.append((kind, relation))
        inputs[kind] = inputs["input"] = Dataset(relation.schema, kind)
    return made


def _query(kind: str, written: Any) -> str:
    ((_, relation),) = _chain((kind, written))
    return RelationPrinter(TABLES).query(relation)


def _text(written: str) -> str:
    return dedent(written).strip()


def test_nodes_that_can_share_a_select_do():
    found = _query(
        "sql",
        "select carrier, count(*) as n from flights where flight > 0 group by carrier having count(*) > 1 order by n desc limit 3",
    )
    assert found == _text("""
        SELECT "carrier", count(*) AS "n"
        FROM "flights"
        WHERE "flight" > 0
        GROUP BY "carrier"
        HAVING count(*) > 1
        ORDER BY "n" DESC NULLS LAST, "carrier" NULLS LAST
        LIMIT 3
    """)


def test_columns_that_pass_are_a_star():
    assert _query("derive", {"late": "flight > 15", "carrier": "upper(carrier)"}) == _text("""
        SELECT * REPLACE (upper("carrier") AS "carrier"), "flight" > 15 AS "late"
        FROM "flights"
    """)


def test_a_column_of_a_table_is_never_excluded_by_name():
    """A table may lack the columns that nothing needs."""
    assert _query("select", {"drop": "delay"}) == 'SELECT "carrier", "flight", "at"\nFROM "flights"'


def test_a_join_reads_as_a_join():
    assert _query("join", {"with": "airlines", "on": "carrier", "how": "left"}) == _text("""
        SELECT * EXCLUDE ("airlines.carrier")
        FROM "flights"
        LEFT JOIN (
          SELECT "carrier" AS "airlines.carrier", "name"
          FROM "airlines"
        ) ON "carrier" = "airlines.carrier"
    """)


def test_conditions_are_a_line_each_and_or_keeps_its_brackets():
    assert _query("filter", "flight > 0 and (flight = 1 or flight is null) and carrier <> 'UA'") == _text("""
        SELECT *
        FROM "flights"
        WHERE "flight" > 0
          AND (("flight" = 1) OR ("flight" IS NULL))
          AND "carrier" <> 'UA'
    """)


def test_a_dedupe_orders_only_rows_whose_key_repeats():
    found = _query(
        "clean", {"case": {"carrier": "upper"}, "dedupe": {"key": ["carrier", "flight"], "keep": "last", "order_by": "at"}}
    )
    assert found == _text("""
        SELECT *
        FROM (
          WITH "rows" AS NOT MATERIALIZED (
            SELECT * REPLACE (upper("carrier") AS "carrier")
            FROM "flights"
          ), "repeated" AS MATERIALIZED (
            SELECT "carrier", "flight", count(*) AS n
            FROM "rows"
            WHERE "carrier" IS NOT NULL
              AND "flight" IS NOT NULL
            GROUP BY "carrier", "flight"
            HAVING count(*) > 1
          )
          SELECT *
          FROM "rows"
          ANTI JOIN "repeated" USING ("carrier", "flight")
          UNION ALL
          SELECT *
          FROM "rows"
          SEMI JOIN "repeated" USING ("carrier", "flight")
          QUALIFY row_number() OVER (
            PARTITION BY "carrier", "flight"
            ORDER BY "at" DESC NULLS LAST, "delay" NULLS LAST
          ) = 1
        )
    """)


def test_a_statement_names_its_steps_and_holds_only_those_it_needs():
    steps = _chain(("filter", "flight > 0"), ("derive", {"x": "flight > 1"}), ("select", ["carrier"]), ("limit", 3))
    assert with_clause(steps, "derive", TABLES) == _text("""
        WITH "filter" AS (
          SELECT *
          FROM "flights"
          WHERE "flight" > 0
        ), "derive" AS (
          SELECT *, "flight" > 1 AS "x"
          FROM "filter"
        )
        SELECT *
        FROM "derive"
    """)


def test_a_step_that_is_stored_is_read_from_there():
    steps = _chain(("filter", "delay > 0"), ("select", ["carrier"]))
    stored = {**TABLES, "filter": "read_parquet('stage/filter.parquet')"}
    assert with_clause(steps, "select", stored) == _text("""
        WITH "select" AS (
          SELECT "carrier"
          FROM read_parquet('stage/filter.parquet') AS "filter"
        )
        SELECT *
        FROM "select"
    """)
    assert with_clause(steps, "filter", stored) == "SELECT *\nFROM read_parquet('stage/filter.parquet')"


def test_the_order_is_stated_where_rows_leave():
    steps = _chain(("sort", "-delay"), ("derive", {"x": "1"}))
    assert with_clause(steps, "derive", TABLES) == _text("""
        WITH "sort" AS (
          SELECT *
          FROM "flights"
        ), "derive" AS (
          SELECT *, 1 AS "x"
          FROM "sort"
        )
        SELECT *
        FROM "derive"
        ORDER BY "delay" DESC NULLS LAST
    """)


def test_an_order_by_a_column_that_is_dropped_is_stated_while_it_is_there():
    steps = _chain(("sort", "-delay"), ("select", ["carrier", "flight"]), ("limit", 2))
    assert with_clause(steps[:2], "select", TABLES).endswith(
        'SELECT "carrier", "flight"\nFROM "sort"\nORDER BY "delay" DESC NULLS LAST'
    )
    assert with_clause(steps, "limit", TABLES).endswith(
        'FROM "sort"\nORDER BY "delay" DESC NULLS LAST, "carrier" NULLS LAST, "flight" NULLS LAST\nLIMIT 2'
    )


def test_an_order_by_a_column_that_is_replaced_means_the_one_before():
    steps = _chain(("sort", "-flight"), ("derive", {"flight": "0 - flight"}), ("limit", 2))
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        connection.execute(
            "CREATE TABLE flights AS SELECT 'x' AS carrier, i::INTEGER AS flight, 0.5 AS delay, now()::TIMESTAMP AS at FROM range(9) r(i)"
        )
        found = connection.execute(with_clause(steps, "limit", TABLES)).fetchall()
        assert [row[1] for row in found] == [-8, -7]
        found = connection.execute(with_clause(steps[:2], "derive", TABLES)).fetchall()
        assert [row[1] for row in found] == list(range(-8, 1))


def test_a_stored_result_forgets_no_order():
    steps = _chain(("sort", "-flight"), ("limit", 2))
    assert 'ORDER BY "flight" DESC' in with_clause(steps, "limit", {**TABLES, "sort": '"kept sort"'})


def test_a_dedupe_over_another_step_asks_for_it_once_if_that_costs_something():
    costly = _chain(("aggregate", {"by": ["carrier"], "measures": {"flight": "max(flight)"}}), ("dedupe", "flight"))
    assert '"aggregate" AS MATERIALIZED (' in with_clause(costly, "dedupe", TABLES)
    light = _chain(("filter", "flight > 0"), ("dedupe", "flight"))
    assert '"filter" AS NOT MATERIALIZED (' in with_clause(light, "dedupe", TABLES)


@pytest.mark.parametrize("key", [["flight"], ["n", "b"], ["b", "N"]])
def test_repeating_keys_can_be_found_once_and_used_again(key):
    schema = (
        Schema.of(flight=Integer(32), n=Integer(32), b=Integer(32))
        if "N" not in key
        else Schema.of(flight=Integer(32), N=Integer(32), b=Integer(32))
    )
    dedupe = _step("dedupe", {"key": key}, {"input": Dataset(schema, "t")})
    assert isinstance(dedupe, Dedupe)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT i % 3 AS flight, i % 3 AS {schema.names[1]}, 1 AS b FROM range(7) r(i)")
        connection.execute(f"CREATE TABLE known AS {RelationPrinter({}).duplicates(dedupe)}")
        assert connection.execute("SELECT sum(n - 1) FROM known").fetchone() == (4,)
        with_known = RelationPrinter({}, {dedupe: "known"}).query(dedupe)
        assert "count(*)" not in with_known
        assert sorted(connection.execute(with_known).fetchall()) == sorted(
            connection.execute(RelationPrinter({}).query(dedupe)).fetchall()
        )
        assert len(connection.execute(with_known).fetchall()) == 3


def test_two_tables_of_one_name_get_different_ones():
    joined = _chain(("join", {"with": "flights", "on": "delay < other_delay", "prefix": "other_", "how": "semi"}))[0][1]
    text = RelationPrinter({"flights": "read_parquet('a.parquet')"}).query(joined)
    assert "read_parquet('a.parquet') AS \"flights\"\nSEMI JOIN (" in text
    doubled = _step("sql", "select a.flight from flights a, flights b", {"flights": Dataset(FLIGHTS, "flights")})
    assert RelationPrinter(TABLES).query(doubled).count("flights") >= 2


def test_a_python_step_is_never_printed():
    relation = _step("python", "steps.py:f", {"input": Dataset(FLIGHTS, "flights")})
    with pytest.raises(ValueError, match=r"steps\.py:f"):
        RelationPrinter(TABLES).query(relation)
