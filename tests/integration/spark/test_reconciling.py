"""What a target holds meets what comes on Spark as it does on DuckDB: beside it, in its place by key, or all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.spark.shop import local, shop

CONTRACT = {"columns": {"id": {"type": "int32"}, "amount": {"type": "decimal(10, 2)"}}}
CHECKS = [
    {"name": when, "reconcile": {"against": "out", "when": when, "measure": "sum(amount)", "on_fail": "warn"}}
    for when in ("before", "after")
]


def seen(folder: Path, engine: str, mode: dict[str, Any]) -> list[str]:
    """What the checks of a second delivery see: one key of it is new, one is there, and where no key is needed one has none."""
    project = shop(folder, engine, local())
    project.define(
        engine=engine,
        sources={"rows": {"file": "in.csv", "contract": CONTRACT}},
        checks=CHECKS,
        sinks=[{"name": "out", "file": {"path": "kept/", **mode}}],
    )
    without = [] if "key" in mode else [["", "4.00"]]
    project.data("in.csv", ["id", "amount"], [[1, "1.50"], [2, "2.00"], *without])
    project.run()
    project.data("in.csv", ["id", "amount"], [[2, "16.00"], [3, "32.00"], *without])
    return [f"{check['outcome']}: {check['observed']}" for check in project.run().checks]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_a_target_is_compared_as_on_duckdb(mode: str, tmp_path: Path) -> None:
    options = {"mode": mode, **({"key": ["id"]} if mode == "merge" else {})}
    on_spark = seen(tmp_path / "spark", "spark", options)
    assert on_spark == seen(tmp_path / "duckdb", "duckdb", options)
    assert len(set(on_spark)) == len(CHECKS)
