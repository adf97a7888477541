"""Runs on Spark that are stopped, killed, refused, or cannot begin: what is said, and what is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.engines.spark.adapter import LOCAL
from tests.integration.pushdown.both import of
from tests.integration.runs.project import Project
from tests.integration.spark.shop import local, shop

from headrace.application.orchestrator import failpoints
from headrace.business.engine import Limits
from headrace.engine_settings import SparkSettings
from headrace.errors import DefinitionError, NonRetryableError, RetryableError
from headrace.infrastructure.engines.spark.cluster import Cluster

#: Goes on for hours where nobody stops it.
LONG = "SELECT count(*) FROM range(4000000000) AS a CROSS JOIN range(1000000) AS b WHERE (a.id * b.id) % 7 = 3"


def simple(folder: Path, **others: Any) -> Project:
    project = shop(folder, "spark", local())
    source = {"file": {"path": "customers.csv"}, "contract": {"columns": {"name": {"required": True}}}}
    return project.define(
        **{
            "engine": "spark",
            "sources": {"customers": source},
            "steps": [{"derive": {"up": "upper(name)"}}],
            "sinks": [{"name": "out", "file": "out.csv"}],
            **others,
        }
    )


def command(project: Project, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "headrace", *arguments, str(project.file)]
    environment = {**os.environ, "NO_COLOR": "1", **env}
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=project.folder, env=environment)


def test_a_statement_is_stopped_from_another_thread() -> None:
    cluster = Cluster(LOCAL, Limits(), "stopped")
    cluster.rows("SELECT 1")
    running = threading.Event()

    def stop() -> None:
        running.wait()
        tracker = cluster.spark.sparkContext.statusTracker()
        while not tracker.getActiveStageIds():
            time.sleep(0.05)
        cluster.interrupt()

    stopper = threading.Thread(target=stop)
    stopper.start()
    running.set()
    with pytest.raises(KeyboardInterrupt):
        cluster.rows(LONG)
    stopper.join()
    with pytest.raises(KeyboardInterrupt):
        cluster.rows("SELECT 1")
    assert Cluster(LOCAL, Limits(), "another").rows("SELECT 1")[0][0] == 1


def test_a_run_that_was_killed_is_brought_to_its_end(tmp_path: Path) -> None:
    project = simple(tmp_path)
    died = command(project, "run", "--quiet", **{failpoints.VARIABLE: "staged"})
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (tmp_path / "out.csv").exists()
    project.run()
    assert [row["up"] for row in project.published()] == ["ANN", "BOB", "BERT", "DAN"]


def test_what_is_read_again_is_not_published_twice(tmp_path: Path) -> None:
    project = simple(tmp_path)
    first = of(project, project.run())
    assert of(project, project.run()).held == first.held
    assert len(project.published()) == 4


@pytest.mark.parametrize(
    ("function", "said"), [("failing", "raised ValueError: not today"), ("missing", "there is no function `missing`")]
)
def test_a_function_that_fails_is_named(tmp_path: Path, function: str, said: str) -> None:
    step = {"name": "mine", "python": {"call": f"shop.py:{function}"}}
    with pytest.raises(NonRetryableError, match=said) as raised:
        simple(tmp_path, steps=[step]).run()
    assert "step `mine`" in raised.value.message


def test_a_value_that_does_not_fit_ends_the_run_in_our_words(tmp_path: Path) -> None:
    project = simple(tmp_path, steps=[{"derive": {"n": "cast(name as int64)"}}])
    with pytest.raises(NonRetryableError, match=r"a value does not fit an int64 exactly; `try_cast` would make it null$"):
        project.run()
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"steps": [{"derive": {"t": "strip_accents(name)"}}]}, "has no `strip_accents`: Spark does not take letters apart"),
        (
            {
                "sources": {
                    "customers": {"file": {"path": "customers.csv"}, "contract": {"columns": {"name": {"type": "time"}}}}
                },
                "steps": [],
            },
            "`name` is time: Spark has no time of day",
        ),
    ],
)
def test_what_spark_cannot_do_is_said_before_anything_runs(tmp_path: Path, others: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        simple(tmp_path, **others).run()
    assert any(said in problem.message for problem in raised.value.problems), raised.value.problems


def test_a_plan_shows_the_statements_and_starts_nothing(tmp_path: Path) -> None:
    done = command(simple(tmp_path), "plan", PATH="", JAVA_HOME="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "INSERT OVERWRITE DIRECTORY 'staged derive' USING parquet" in done.stdout


def test_without_java_it_is_said_that_it_is_missing(tmp_path: Path) -> None:
    done = command(simple(tmp_path), "run", "--quiet", PATH="", JAVA_HOME="/nowhere")
    assert done.returncode == 1
    assert "the engine spark needs Java, and there is none in JAVA_HOME (/nowhere)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("key", "address", "what"), [("master", "spark://127.0.0.1:{}", "the master of Spark"), ("remote", "sc://127.0.0.1:{}", "the server of Spark Connect")])  # fmt: skip
def test_nobody_at_the_address(key: str, address: str, what: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = SparkSettings(**{key: address.format(taken.getsockname()[1])})
        with pytest.raises(RetryableError, match=f"{what} at .* cannot be reached"):
            Cluster(settings, Limits(), "nobody").rows("SELECT 1")
