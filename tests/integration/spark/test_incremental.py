"""A source that is read by cursor on Spark: nothing is skipped, nothing comes twice, and a definition may change its engine between runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.pushdown.both import held, published
from tests.integration.runs.project import Project
from tests.integration.spark.shop import settle

CONTRACT = {
    "columns": {"id": {"type": "uint8", "unique": True}, "at": "timestamp", "share": "float64", "note": {"matches": "^.{1,3}$"}}
}
#: Rows that share the highest value, come late, have no value, repeat a key, or break a rule; as they are appended before each run.
GIVEN = (
    ["1,2024-01-01 00:00:00,0.1,a", "2,2024-01-02 00:00:00,1e30,b", "3,,2,c", "bad,2024-01-03 00:00:00,,d", "9,2024-01-02 00:00:00,,long"],
    ["4,2024-01-02 00:00:00,1e30,b", "5,2024-01-05 00:00:00,NaN,é", "1,2024-01-05 00:00:00,-0.0,key", "0,2023-01-01 00:00:00,1,old", "8,2024-01-05 00:00:00,,long"],
    ["6,2024-01-06 00:00:00,3,x", '7,2024-01-05 00:00:00,1e-7,"q"""'],
)  # fmt: skip


@pytest.mark.parametrize(
    ("newest", "engines"),
    [("take", ("spark", "spark", "duckdb")), ("wait", ("duckdb", "spark", "spark"))],
    ids=["take", "wait"],
)
def test_what_is_new_by_cursor(newest: str, engines: tuple[str, ...], tmp_path: Path) -> None:
    left = []
    for order in (("duckdb",) * 3, engines):
        project = Project(tmp_path / "-".join(order))
        project.folder.mkdir()
        settle(project.folder)
        given: list[str] = []
        for engine, more in zip(order, GIVEN, strict=True):
            given += more
            project.text("in.csv", "\n".join(["id,at,share,note", *given]) + "\n")
            incremental = {"by": "cursor", "cursor": "at", "newest": newest}
            project.define(
                engine=engine,
                sources={"rows": {"file": {"path": "in.csv"}, "contract": CONTRACT, "incremental": incremental}},
                sinks=[{"name": "out", "file": {"path": "out/last/", "format": "parquet", "mode": "append"}}],
            )
            project.run()
        left.append((published(project.folder / "out"), held(project.folder)))
    assert left[1] == left[0]
    assert left[0][0][1]
