"""What comes of a pipeline does not depend on the engine: rows, reasons, cells, balances, checks."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.pushdown.both import by_both, engine_of, published

ORDERS = """id,amount,rate,day,at,open,note,customer
1,10.50,0.1,2024-01-01,2024-01-01 10:00:00,true,hello,a
2,abc,1e3,2024-01-02,2024-01-02T11:00,yes,"quoted, comma",b
2,3.00,nan,2024-02-30,,no,,a
3,-4.00,inf,2024-01-03,2024-01-03 24:00:00,,"",zz
x,1.00,-0.0,2024-01-04,2024-01-04 10:00:00,TRUE,bad id,a
5,7.25,2024-01-05
6,8.00,1,2024-1-6,2024-01-06 00:00:00,maybe,"a ""quote""\",b
7, 9.99 ,1_000,,2024-01-07 00:00:00.123456,f,Ünïcödé 🎉,
8,12345678.90,0x1F,0001-01-01,9999-12-31 23:59:59,t,line\tbreak,c
9,1.999,.5,9999-12-31,2024-01-01 10:00:00+02:00,0,NA,b
,0.00,5.,2024-01-08,2024-01-08 10:00:00,1,no id,b
10,1.00,1,2024-01-09,2024-01-09 10:00:00,false,one,too,many,a
11,99,1e400,2024-01-10,,false,,d
12,0.50,1,2024-01-11,2024-01-11 00:00:00,true,dropped,a
13,0.50,9e9,2024-01-12,,,fine,a
"""
CUSTOMERS = "key,name\na,Ann\nb,Bob\nb,Bert\nc,\nd,Dan\n"
CONTRACT: dict[str, Any] = {
    "columns": {
        "id": {"type": "int64", "required": True, "unique": True},
        "amount": {"type": "decimal(10, 2)", "at_least": 0},
        "rate": {"type": "float64", "at_most": 1000000.0, "on_violation": "warn"},
        "day": {"type": "date", "at_least": "1970-01-01"},
        "at": {"type": "timestamp"},
        "open": {"type": "bool"},
        "note": {"type": "string", "nulls": ["NA", ""], "length": {"max": 12}},
        "customer": {"type": "string", "in": ["a", "b", "c", "zz"]},
    },
    "rules": {
        "not_dropped": {"expression": "note <> 'dropped'", "on_violation": "drop"},
        "known": {"references": "customers.key", "column": "customer"},
    },
}


def test_every_reason_and_every_cell(tmp_path: Path, postgres: str) -> None:
    duck, here = by_both(
        tmp_path, postgres, {"orders.csv": ORDERS, "customers.csv": CUSTOMERS},
        sources={
            "orders": {"file": {"path": "orders.csv"}, "contract": CONTRACT},
            "customers": {"file": {"path": "customers.csv"}, "contract": {"columns": {"key": {"unique": True}, "name": {"required": True}}}},
        },
        steps=[
            {"derive": {"cents": "cast(amount * 100 as int64)", "half": "amount / 2", "month": "date_trunc('month', day)", "up": "upper(note)"}, "from": "orders"},
        ],
        checks=[
            {"row_count": {"min": 1}}, {"null_share": {"column": "note", "max": 0.9}}, {"mean": {"column": "amount", "at_least": 0}},
            {"sum": {"column": "cents", "at_least": 0}}, {"expression": {"condition": "count(*) > 0"}},
        ],
    )  # fmt: skip
    assert here == duck
    assert duck.balances["orders"] == [15, 2, 12, 1, 0]
    assert len(duck.held) == 12 + duck.balances["customers"][2]


SALES = "\n".join(
    [
        "region,day,product,amount",
        *(f"r{i % 3},2024-01-{1 + i % 28:02},p{i % 7},{i * 1.5:.2f}" for i in range(200)),
        "r1,,p1,",
        "r2,2024-01-01,,5.00",
    ]
)


STEPS: dict[str, list[dict[str, Any]]] = {
    "cleaned": [{"clean": {"trim": ["product"], "dedupe": {"key": ["region", "product"], "keep": "last", "order_by": "amount"}}}],
    "totals": [{"aggregate": {"by": ["region"], "measures": {"total": "sum(amount)", "n": "count(*)", "mean": "avg(amount)", "top": "max(product)", "kinds": "count(distinct product)", "mid": "median(amount)"}}}],
    "running": [{"filter": "amount > 20"}, {"sql": "select s.region, s.amount, sum(s.amount) over (partition by s.region order by s.day, s.product, s.amount) as run from running_0 s where s.product is not null"}],
    "first": [{"sort": {"by": ["amount desc", "region", "day", "product"]}}, {"limit": 7}],
    "more": [{"select": ["region", "amount"]}, {"union": {"with": ["other"]}}, {"rename": {"amount": "sum"}}],
    "joined": [{"join": {"with": "regions", "on": "region", "how": "left"}}],
    "without": [{"join": {"with": "regions", "on": "region", "how": "anti"}}],
    "looked_up": [{"lookup": {"with": "regions", "on": "region", "take": ["name"]}}],
    "down": [{"unpivot": {"columns": ["region", "product"], "name_to": "what", "value_to": "text"}}],
    "across": [{"pivot": {"by": ["day"], "on": "region", "values": ["r0", "r1"], "measure": "sum(amount)"}}],
}  # fmt: skip


def test_every_step(tmp_path: Path, postgres: str) -> None:
    steps = []
    for name, parts in STEPS.items():
        for i, part in enumerate(parts):
            steps.append(
                {**part, "name": name if i == len(parts) - 1 else f"{name}_{i}", "from": f"{name}_{i - 1}" if i else "sales"}
            )
    duck, here = by_both(
        tmp_path, postgres, {"sales.csv": SALES, "other.csv": "region,amount\nx,1.00\nx,1.00\n", "regions.csv": "region,name\nr0,North\nr1,South\n"},
        sources={
            "sales": {"file": {"path": "sales.csv"}, "contract": {"columns": {"amount": "decimal(12, 2)", "day": "date"}}},
            "other": {"file": {"path": "other.csv"}, "contract": {"columns": {"amount": "decimal(12, 2)"}}},
            "regions": {"file": {"path": "regions.csv"}},
        },
        steps=steps,
        sinks=[{"name": name, "from": name, "file": {"path": f"out/{name}/", "format": "parquet"}} for name in STEPS],
    )  # fmt: skip
    assert here == duck
    assert all(duck.rows[name][1] for name in STEPS)


def test_every_form_of_data(tmp_path: Path, postgres: str) -> None:
    """JSON, Parquet with its types, SQLite, and functions in Python: read by the same readers, loaded by COPY."""
    made = pa.table({
        "k": pa.array([1, 2, None, 4], pa.int32()), "u": pa.array([0, 2**64 - 1, 7, None], pa.uint64()), "f": [0.1, float("nan"), float("inf"), -0.0],
        "b": [b"\x00\xff", b"", None, b"abc"], "d": pa.array(["1.10", "-0.01", None, "99999.99"]).cast(pa.decimal128(7, 2)),
        "t": pa.array([0, 1, None, 2**40], pa.timestamp("us", "UTC")), "l": pa.array([["a", 'q"\\', None], [], None, ["", "ü"]]), "s": ["", "x", None, 'y,\n"z"'],
        "w": [True, None, False, True],
    })  # fmt: skip
    pq.write_table(made, tmp_path / "typed.parquet")
    with sqlite3.connect(tmp_path / "shop.sqlite") as db:
        db.execute("CREATE TABLE items (k INTEGER, label TEXT)")
        db.executemany("INSERT INTO items VALUES (?, ?)", [(1, "one"), (2, ""), (4, None)])
    db.close()
    lines = '{"k": 1, "v": "a", "n": {"x": [1, 2]}}\n{"k": "two", "v": null}\nnot json\n{"k": 4, "v": "é"}\n'
    code = "import pyarrow as pa\n\ndef doubled(t):\n    return t.append_column('k2', pa.compute.multiply(t['k'], 2))\n"
    duck, here = by_both(
        tmp_path, postgres, {
            "typed.parquet": (tmp_path / "typed.parquet").read_bytes(), "shop.sqlite": (tmp_path / "shop.sqlite").read_bytes(), "lines.jsonl": lines,
            "own.py": code.replace("import pyarrow as pa", "import pyarrow as pa\nimport pyarrow.compute"),
        },
        sources={
            "typed": {"file": {"path": "typed.parquet"}, "contract": {"columns": {"k": {"required": True}, "f": {"at_least": -1}}, "key": ["k"]}},
            "lines": {"file": {"path": "lines.jsonl"}, "contract": {"columns": {"k": "int32"}}},
            "items": {"sqlite": {"path": "shop.sqlite", "table": "items"}, "contract": {"columns": {"label": {"required": True}}}},
        },
        steps=[
            {"python": {"call": "own.py:doubled", "schema": {
                "k": "int32", "u": "uint64", "f": "float64", "b": "binary", "d": "decimal(7, 2)", "t": "timestamptz", "l": "list<string>", "s": "string", "w": "bool", "k2": "int32"}}, "from": "typed", "name": "made"},
            {"sql": "select m.*, l.v, i.label from made m left join lines l on l.k = m.k left join items i on i.k = m.k"},
        ],
    )  # fmt: skip
    assert here == duck
    assert duck.balances["typed"] == [4, 2, 2, 0, 0]
    assert duck.balances["lines"] == [4, 2, 2, 0, 0]


@pytest.mark.parametrize("newest", ["take", "wait"])
def test_what_is_new_by_cursor(newest: str, tmp_path: Path, postgres: str) -> None:
    """In three runs, of which the last is another engine's: rows that share the highest value, come late, or have none, come once."""
    rows = ["1,2024-01-01 00:00:00,a", "2,2024-01-02 00:00:00,b", "3,,c", "bad,2024-01-03 00:00:00,d"]
    later = ["4,2024-01-02 00:00:00,b", "5,2024-01-05 00:00:00,é", "5,2024-01-05 00:00:00,é", "0,2023-01-01 00:00:00,late"]
    left = []
    for order in (["duckdb"] * 3, ["postgres"] * 3, ["duckdb", "postgres", "duckdb"]):
        project = engine_of(tmp_path / "-".join(order), postgres)
        given: list[str] = []
        for engine, more in zip(order, (rows, later, ["6,2024-01-06 00:00:00,x"]), strict=True):
            given += more
            project.text("in.csv", "\n".join(["id,at,note", *given]) + "\n")
            project.define(
                engine=engine,
                sources={"rows": {
                    "file": {"path": "in.csv"}, "contract": {"columns": {"id": "int64", "at": "timestamp"}},
                    "incremental": {"by": "cursor", "cursor": "at", "newest": newest},
                }},
                sinks=[{"name": "out", "file": {"path": "out/last/", "format": "parquet", "mode": "append"}}],
            )  # fmt: skip
            project.run()
        left.append(published(project.folder / "out"))
    assert left[0] == left[1] == left[2]
    assert left[0][1]
