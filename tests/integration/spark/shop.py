"""A pipeline that has something of everything: what it makes on DuckDB, it has to make on Spark. And where Spark is told to work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conformance.engines.spark.adapter import LOCAL
from tests.integration.pushdown.test_same import CONTRACT, CUSTOMERS, ORDERS
from tests.integration.runs.project import Project

FUNCTION = """
import pyarrow as pa
import pyarrow.compute as pc

def doubled(table, by=2):
    return table.append_column("doubled", pc.multiply(table["cents"], pa.scalar(by, pa.int64()))).append_column("whole", pa.array([table.num_rows] * table.num_rows, pa.uint8()))

def failing(table):
    raise ValueError("not today")
"""
DECLARED = {"id": "int64", "cents": "int64", "doubled": "int64", "whole": "uint8"}


def parts(**others: Any) -> dict[str, Any]:
    """Every kind of rule, a key, a reference, a self-reference; steps of every kind, one of Python; checks; two targets."""
    return {
        "sources": {
            "orders": {"file": {"path": "orders.csv"}, "contract": CONTRACT},
            "customers": {
                "file": {"path": "customers.csv"},
                "contract": {"columns": {"key": {"unique": True}, "name": {"required": True}}},
            },
            "staff": {
                "file": {"path": "staff.csv"},
                "contract": {
                    "columns": {"id": {"type": "uint8", "required": True}, "boss": {"type": "uint8"}},
                    "rules": {"boss_is_there": {"references": "staff.id", "column": "boss"}},
                },
            },
        },
        "steps": [
            {
                "name": "priced",
                "from": "orders",
                "derive": {
                    "cents": "cast(amount * 100 as int64)",
                    "half": "amount / 2",
                    "month": "date_trunc('month', day)",
                    "up": "upper(note)",
                },
            },
            {"name": "few", "from": "priced", "select": ["id", "cents"]},
            {"name": "twice", "from": "few", "python": {"call": "shop.py:doubled", "schema": DECLARED, "arguments": {"by": 2}}},
            {
                "name": "totals",
                "from": "priced",
                "aggregate": {
                    "by": ["month"],
                    "measures": {"total": "sum(amount)", "n": "count(*)", "all": "string_agg(up, '|' order by id)"},
                },
            },
            {"name": "ranked", "from": "priced", "clean": {"dedupe": {"key": ["customer"], "keep": "last", "order_by": "id"}}},
        ],
        "checks": [
            {"row_count": {"min": 1}, "on": "priced"},
            {"null_share": {"column": "note", "max": 0.9}, "on": "priced"},
            {"sum": {"column": "cents", "at_least": 0}, "on": "priced"},
        ],
        "sinks": [
            {"name": name, "from": name, "file": {"path": f"out/{name}/", "format": "parquet"}}
            for name in ("priced", "twice", "totals", "ranked", "staff")
        ],
        **others,
    }


def brief() -> dict[str, Any]:
    """One source that breaks every rule, a step of SQL, one of Python: for places that were shown to print the same SQL."""
    whole = parts()
    return {
        "sources": {name: whole["sources"][name] for name in ("orders", "customers")},
        "steps": [step for step in whole["steps"] if step["name"] in ("priced", "few", "twice")],
        "checks": whole["checks"][:1],
        "sinks": [sink for sink in whole["sinks"] if sink["name"] in ("priced", "twice")],
    }


def shop(folder: Path, engine: str, settings: Mapping[str, Any] | None = None, **others: Any) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    if settings is not None:
        settle(folder, settings)
    project = Project(folder)
    project.text("orders.csv", ORDERS)
    project.text("customers.csv", CUSTOMERS)
    project.text("staff.csv", "id,boss\n1,\n2,1\n3,300\n4,3\n5,4\n6,6\n7,9\n")
    project.text("shop.py", FUNCTION)
    return project.define(**parts(engine=engine, **others))


def settle(folder: Path, settings: Mapping[str, Any] | None = None) -> None:
    """Say in the settings of a project where Spark works: unless said, in this process."""
    lines = "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in (settings or local()).items())
    (folder / "headrace.toml").write_text(f"[engines.spark]\n{lines}")


def local() -> dict[str, Any]:
    """The settings of the conformance suite, so that a process of tests has one JVM."""
    return {"master": LOCAL.master, **LOCAL.options}
