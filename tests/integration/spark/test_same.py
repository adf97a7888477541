"""What comes of a pipeline does not depend on the engine, nor on where Spark works: rows, types, reasons, cells, balances, checks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.pushdown.both import Came, of
from tests.integration.runs.project import Project
from tests.integration.spark.cluster import Cluster, loopback
from tests.integration.spark.shop import brief, local, shop

from headrace import bootstrap
from headrace.application.queries.runs import all_runs


@pytest.fixture(scope="module")
def meant(tmp_path_factory: pytest.TempPathFactory) -> Came:
    project = shop(tmp_path_factory.mktemp("duckdb"), "duckdb")
    came = of(project, project.run())
    assert came.balances["orders"] == [15, 2, 12, 1, 0]
    assert came.balances["staff"] == [7, 3, 4, 0, 0]
    return came


@pytest.fixture(scope="module")
def briefly_meant(tmp_path_factory: pytest.TempPathFactory) -> Came:
    project = shop(tmp_path_factory.mktemp("duckdb"), "duckdb", **brief())
    return of(project, project.run())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster.running() as cluster:
        yield cluster


def test_in_this_process(tmp_path: Path, meant: Came) -> None:
    project = shop(tmp_path, "spark", local())
    came = of(project, project.run())
    assert came == meant
    assert not list(tmp_path.rglob("spark-*")), "nothing is left of what was written on the way"


def test_on_a_cluster(tmp_path: Path, briefly_meant: Came, cluster: Cluster) -> None:
    settings = {
        "master": cluster.master,
        "staging": str(tmp_path / "shared"),
        "spark.pyspark.python": sys.executable,
        "spark.cores.max": 2,
        **loopback(),
    }
    project = in_its_own_process(shop(tmp_path / "project", "spark", settings, **brief()))
    assert of(project, all_runs(project.store)[0]) == briefly_meant
    assert "Registered app headrace" in cluster.log
    assert list((tmp_path / "shared").iterdir()) == []


def test_by_spark_connect(tmp_path: Path, briefly_meant: Came, cluster: Cluster) -> None:
    settings = {"remote": cluster.remote, "spark.sql.adaptive.enabled": False}
    project = in_its_own_process(shop(tmp_path, "spark", settings, **brief()))
    assert of(project, all_runs(project.store)[0]) == briefly_meant


def in_its_own_process(project: Project) -> Project:
    """Run as a user does: by the command, which says nothing but what is ours."""
    command = [sys.executable, "-m", "headrace", "run", "--quiet", str(project.file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert bootstrap.site(project.folder).queue.outstanding() == []
    return project
