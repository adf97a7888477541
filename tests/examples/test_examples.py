"""Every example runs as it stands, accounts for its rows, and finds nothing to do the second time."""

from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import closing

import duckdb
from tests.examples.conftest import ROOT, write_flights

import headrace
from headrace import bootstrap


def test_every_example_is_tried_here():
    tried = {"flights", "python_face", "sensors", "shop"}
    on_pages_of_their_own = {"departures", "nexmark", "tpch"}
    assert {p.name for p in (ROOT / "examples").iterdir() if p.is_dir()} == tried | on_pages_of_their_own


def own_tests_pass(folder):
    outcomes = bootstrap.test(bootstrap.load(folder / "pipeline.yaml"))
    assert outcomes
    assert {o.name: o.differences for o in outcomes if not o.passed} == {}


def test_flights(example):
    folder = example("flights")
    flights = write_flights(folder / "data", every=40)
    text = (folder / "pipeline.yaml").read_text()
    (folder / "pipeline.yaml").write_text(text.replace("300_000", "8_000"))
    run = headrace.run(folder / "pipeline.yaml")
    held = run.sources["flights"]["quarantined"]
    assert run.sources["flights"]["read"] == flights
    assert 0 < held < flights / 20
    assert run.steps["departures"]["rows"] == flights - held
    files = str(folder / "out" / "departures" / "**" / "*.parquet")
    counts = duckdb.connect().execute(f"SELECT count(*), count(DISTINCT month) FROM read_parquet('{files}')").fetchall()
    assert counts == [(flights - held, 12)]
    with duckdb.connect(str(folder / "out" / "flights.duckdb"), read_only=True) as con:
        assert con.execute("SELECT sum(flights) FROM airlines_by_month").fetchone() == (flights - held,)
    assert headrace.run(folder / "pipeline.yaml").unchanged
    own_tests_pass(folder)


def orders(folder):
    with closing(sqlite3.connect(folder / "out" / "shop.db")) as con:
        return con.execute("SELECT order_id, customer, status, total FROM orders ORDER BY order_id").fetchall()


BOTH_DAYS = [
    (1, "ada", "shipped", "39.80"),
    (2, "grace", "paid", "249.00"),
    (3, "linus", "open", "22.50"),
    (6, "margaret", "open", "21.75"),
]


def test_shop_reads_each_file_once_and_brings_orders_up_to_date(example):
    folder = example("shop")
    second = folder / "orders" / "2024-03-02.csv"
    later = second.read_bytes()
    second.unlink()
    first = headrace.run(folder / "pipeline.yaml")
    assert (first.read, first.quarantined) == (5, 2)
    assert [row[:3] for row in orders(folder)] == [(1, "ada", "open"), (2, "grace", "paid"), (3, "linus", "open")]
    assert headrace.run(folder / "pipeline.yaml").unchanged
    second.write_bytes(later)
    then = headrace.run(folder / "pipeline.yaml")
    assert (then.read, then.quarantined, then.sinks["sqlite"]["inserted"], then.sinks["sqlite"]["updated"]) == (3, 1, 1, 1)
    assert orders(folder) == BOTH_DAYS
    own_tests_pass(folder)


def python_pipeline(folder):
    spec = importlib.util.spec_from_file_location("shop_in_python", folder / "pipeline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.shop


def test_both_faces_of_the_shop_are_the_same_pipeline(example):
    shop = python_pipeline(example("python_face"))
    assert shop.definition == bootstrap.load(ROOT / "examples" / "shop" / "pipeline.yaml").definition


def test_the_shop_in_python_runs(example):
    folder = example("python_face")
    run = python_pipeline(folder).run()
    assert (run.state, run.read, run.quarantined) == ("succeeded", 8, 3)
    # The two states of order 1 came on the same day here, in one load: either may be the last.
    assert [row[0] for row in orders(folder)] == [1, 2, 3, 6]


def test_sensors(example):
    folder = example("sensors")
    run = headrace.run(folder / "pipeline.yaml")
    assert (run.sources["readings"]["read"], run.sources["readings"]["quarantined"]) == (26, 3)
    assert {c["check"]: c["outcome"] for c in run.checks} == {"row_count": "pass", "usual_temperature": "learning"}
    files = str(folder / "out" / "readings" / "**" / "*.parquet")
    found = (
        duckdb.connect()
        .execute(f"SELECT room, comfort, count(*) FROM read_parquet('{files}') GROUP BY ALL ORDER BY ALL")
        .fetchall()
    )
    assert found == [("attic", "warm", 11), ("kitchen", "good", 12)]
    assert headrace.run(folder / "pipeline.yaml").unchanged
