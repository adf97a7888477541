"""Publishing: once, whatever is run again, from whatever disk; in increments by file and by cursor."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.project import Project, query

from headrace import bootstrap
from headrace.errors import DefinitionError

SINKS: dict[str, dict[str, Any]] = {
    "file": {"path": "out/", "format": "csv"},
    "duckdb": {"path": "out.duckdb", "table": "t"},
    "sqlite": {"path": "out.sqlite", "table": "t"},
}


def rows_of(project: Project, kind: str) -> Counter[tuple[str, ...]]:
    if kind == "file":
        return project.multiset("out")
    if kind == "duckdb":
        found = query(project.folder / "out.duckdb", "SELECT * FROM t")
    else:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(project.folder / "out.sqlite")) as con:
            found = con.execute("SELECT * FROM t").fetchall()
    return Counter(tuple(map(str, row)) for row in found)


def sink(kind: str, mode: str, **more: Any) -> dict[str, Any]:
    key = {"key": ["id"]} if mode == "merge" else {}
    return {"name": kind, kind: {**SINKS[kind], "mode": mode, **key, **more}}


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
@pytest.mark.parametrize("kind", list(SINKS))
def test_a_second_run_changes_nothing_also_on_a_fresh_disk(kind: str, mode: str, project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, "a"], [2, "b"]])
    project.one(sinks=[sink(kind, mode)])
    assert project.run().state == "succeeded"
    assert project.run().unchanged
    shutil.rmtree(bootstrap.state_folder(project.folder))
    assert project.run().unchanged
    assert rows_of(project, kind) == Counter([("1", "a"), ("2", "b")])


@pytest.mark.parametrize("kind", list(SINKS))
def test_new_data_are_added_merged_or_put_in_place(kind: str, project: Project) -> None:
    for mode, expected in (
        ("append", {("1", "a"): 1, ("2", "b"): 2, ("3", "c"): 1}),
        ("merge", {("1", "a"): 1, ("2", "b"): 1, ("3", "c"): 1}),
        ("replace", {("2", "b"): 1, ("3", "c"): 1}),
    ):
        shutil.rmtree(project.folder)
        project.data("in.csv", ["id", "v"], [[1, "a"], [2, "b"]])
        project.one(sinks=[sink(kind, mode)]).run()
        project.data("in.csv", ["id", "v"], [[2, "b"], [3, "c"]])
        assert project.run().state == "succeeded"
        assert rows_of(project, kind) == expected, mode


@pytest.mark.parametrize("kind", list(SINKS))
def test_by_file_reads_only_new_files_and_lets_a_late_sink_catch_up(kind: str, project: Project) -> None:
    def define(*sinks: dict[str, Any]) -> None:
        project.define(sources={"rows": {"file": "d/*.csv", "incremental": {"by": "file"}}}, sinks=list(sinks))

    first = {"name": "first", "duckdb": {"path": "first.duckdb", "table": "t", "mode": "append"}}
    project.data("d/1.csv", ["id", "v"], [[1, "a"]])
    define(first)
    project.run()
    project.data("d/2.csv", ["id", "v"], [[2, "b"]])
    assert project.run().sources["rows"]["read"] == 1
    define(first, sink(kind, "append"))
    project.data("d/3.csv", ["id", "v"], [[3, "c"]])
    project.run()
    everything = Counter([("1", "a"), ("2", "b"), ("3", "c")])
    assert rows_of(project, kind) == everything
    assert Counter((str(a), str(b)) for a, b in query(project.folder / "first.duckdb", "SELECT * FROM t")) == everything
    assert project.run().unchanged
    shutil.rmtree(bootstrap.state_folder(project.folder))
    assert project.run().unchanged


def test_by_cursor_reads_what_is_behind_it(project: Project) -> None:
    project.define(
        sources={"rows": {"file": "in.csv", "incremental": {"by": "cursor", "cursor": "id"}}}, sinks=[sink("duckdb", "append")]
    )
    project.data("in.csv", ["id", "v"], [[1, "a"], [2, "b"]])
    project.run()
    project.data("in.csv", ["id", "v"], [[1, "changed"], [2, "b"], [3, "c"]])
    run = project.run()
    assert (run.sources["rows"]["good"], run.sources["rows"]["filtered"]) == (1, 2)
    assert rows_of(project, "duckdb") == Counter([("1", "a"), ("2", "b"), ("3", "c")])
    project.run()
    assert sum(rows_of(project, "duckdb").values()) == 3


def test_a_lag_reads_late_rows_and_merging_takes_each_once(project: Project) -> None:
    incremental = {"by": "cursor", "cursor": "at", "lag": "1 day"}
    project.define(sources={"rows": {"file": "in.csv", "incremental": incremental}}, sinks=[sink("duckdb", "merge")])
    project.data("in.csv", ["id", "at"], [[1, "2024-01-01 00:00:00"], [2, "2024-01-05 00:00:00"]])
    project.run()
    late = [[1, "2024-01-01 00:00:00"], [2, "2024-01-05 00:00:00"], [3, "2024-01-04 12:00:00"], [4, "2024-01-06 00:00:00"]]
    project.data("in.csv", ["id", "at"], late)
    project.run()
    assert sorted(int(i) for i, _ in rows_of(project, "duckdb")) == [1, 2, 3, 4]


def test_a_full_refresh_rebuilds_what_was_added_to(project: Project) -> None:
    project.define(sources={"rows": {"file": "d/*.csv", "incremental": {"by": "file"}}}, sinks=[sink("duckdb", "append")])
    project.data("d/1.csv", ["id", "v"], [[1, "a"]])
    project.run()
    project.data("d/2.csv", ["id", "v"], [[2, "b"]])
    project.run()
    project.run(full_refresh=True)
    assert rows_of(project, "duckdb") == Counter([("1", "a"), ("2", "b")])
    assert project.run().unchanged
    assert rows_of(project, "duckdb") == Counter([("1", "a"), ("2", "b")])


def test_parameters_decide_what_is_published_and_their_defaults_mean_the_same(project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, "a"], [2, "b"]])
    project.one(params={"least": 1}, steps=[{"filter": "id >= ${params.least}"}], sinks=[sink("duckdb", "append")])
    assert project.cli("run", str(project.file), "--quiet") == 0
    assert project.cli("run", str(project.file), "--quiet", "--param", "least=1") == 0
    assert sum(rows_of(project, "duckdb").values()) == 2
    assert project.cli("run", str(project.file), "--quiet", "--param", "least=2") == 0
    assert rows_of(project, "duckdb") == Counter({("1", "a"): 1, ("2", "b"): 2})


def test_increments_cannot_replace(project: Project) -> None:
    project.data("d/1.csv", ["id", "v"], [[1, "a"]])
    project.define(sources={"rows": {"file": "d/*.csv", "incremental": {"by": "file"}}}, sinks=[sink("duckdb", "replace")])
    with pytest.raises(DefinitionError, match="replacing would throw away"):
        project.run()


def test_runs_beside_each_other_cannot_append_the_same_increments(project: Project) -> None:
    project.data("d/1.csv", ["id", "v"], [[1, "a"]])
    sources = {"rows": {"file": "d/*.csv", "incremental": {"by": "file"}}}
    project.define(sources=sources, sinks=[sink("duckdb", "append")], concurrency=2)
    with pytest.raises(DefinitionError, match="runs beside each other would read the same increments of `rows`"):
        project.run()
    project.define(sources=sources, sinks=[sink("duckdb", "append")], concurrency=2, params={"part": "1"})
    assert project.run().state == "succeeded", "by their parameters they may read different ones"


def test_renamed_projects_go_on_where_they_were(tmp_path: Path) -> None:
    before = Project(tmp_path / "before")
    before.data("in.csv", ["id", "v"], [[1, "a"]])
    before.one(sinks=[sink("duckdb", "append")]).run()
    (tmp_path / "before").rename(tmp_path / "after")
    assert Project(tmp_path / "after").run().unchanged


def test_indexes_that_a_sink_asks_for_are_told_of(project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, "a"], [2, "b"]])
    project.one(
        sinks=[{"name": "out", "sqlite": {"path": "out.db", "table": "t", "indexes": ["id", ["id", "v"]]}}],
    )
    run = project.run()
    told = [e.data for e in project.store.read(run.id, types=("data.indexed/1",))]
    assert [(t["sink"], t["indexes"]) for t in told] == [("out", 2)]
    assert project.run().unchanged
    assert len(list(project.store.read(types=("data.indexed/1",)))) == 1
