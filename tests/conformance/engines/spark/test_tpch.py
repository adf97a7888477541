"""The steps of the 22 pipelines of TPC-H give on Spark the answers that DuckDB gives to the text of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.select.conftest import plain, repr_of
from tests.conformance.select.test_tpch import TABLES
from tests.examples.test_tpch import PIPELINES, answers, tables
from tests.integration.runs.project import Project

from headrace import bootstrap

__all__ = ["answers", "tables"]


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_the_answer_of_the_standard(
    path: Path, spark: Spark, tables: Path, answers: Mapping[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    Project(tmp_path).text("pipeline.yaml", path.read_text().replace("data/", f"{tables}/"))
    plan = bootstrap.plan(Project(tmp_path).load())
    views = {table: f"parquet.`{tables}/{table}.parquet`" for table in TABLES}
    steps = [(step.name, step.relation) for step in plan.steps]
    (sink,) = plan.sinks
    found = spark.fetch(spark.statement(steps, sink.dataset, views))
    first, second = (sorted((tuple(map(plain, row)) for row in rows), key=repr_of) for rows in (answers[path.stem], found))
    assert first
    assert second == first
