"""The source `dlt`: any resource, with its hints, its configuration and its own memory, and without its pipelines."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tests.integration.rest_server import RestServer, pages_of
from tests.integration.runs.project import Project
from tests.integration.sources.reading import read

from headrace.application.orchestrator import failpoints
from headrace.errors import DefinitionError, NonRetryableError, RetryableError
from headrace.infrastructure.connectors.dlt_source import DltSource
from headrace.security.secrets import Secret, Vault
from headrace.testing import source_conforms

SOURCES = """
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dlt

DATA = Path(__file__).with_name("data.json")

@dlt.resource(primary_key="id", columns={
    "id": {"data_type": "bigint"}, "amount": {"data_type": "decimal", "precision": 10, "scale": 2},
    "placed": {"data_type": "timestamp"}, "late": {"data_type": "text"},
})
def orders(count=3):
    for i in range(count):
        yield {"id": i, "amount": Decimal("1.10"), "placed": datetime(2026, 1, 1, i, tzinfo=UTC), "lines": [{"sku": "a"}], "who": {"n": i}}

@dlt.resource(primary_key="id")
def changes(since=dlt.sources.incremental("changed", initial_value=0)):
    yield from json.loads(DATA.read_text())

@dlt.resource
def tables():
    import pyarrow
    yield pyarrow.table({"a": [1, 2], "b": ["x", "y"]})
    yield pyarrow.table({"a": [3], "b": ["z"]})

@dlt.source
def shop(token: str = dlt.secrets.value, size: int = dlt.config.value):
    @dlt.resource
    def seen():
        yield {"token": token, "size": size}
    @dlt.resource
    def other():
        yield {"x": 1}
    return seen, other

def doubled():
    @dlt.transformer(data_from=orders)
    def twice(order):
        yield [{"id": order["id"]}, {"id": order["id"]}]
    return twice

def no_resource():
    return [1]

@dlt.resource
def failing(token=None):
    yield {"a": 1}
    raise ValueError(f"bad token {token}")

@dlt.resource
def gone():
    import requests
    raise requests.ConnectionError("no route")

@dlt.resource
def nothing():
    yield from ()

@dlt.resource
def late_key():
    for i in range(2000):
        yield {"a": i} if i < 1500 else {"a": i, "late": 1}

@dlt.resource
def mixed():
    for i in range(1500):
        yield {"a": i}
    import pyarrow
    yield pyarrow.table({"a": [1]})
"""

CANARY = "c4nary-53cret"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.text("ours.py", SOURCES)
    return made


def source(name: str, **options: Any) -> DltSource:
    return DltSource.model_validate({"source": f"ours.py:{name}", **options})


def test_a_resource_gives_its_rows_with_the_types_of_its_hints(project):
    scan = source("orders").scan(project.folder)
    assert {name: str(kind) for name, kind in scan.hints.items()} == {
        "id": "int64", "amount": "decimal(10, 2)", "placed": "timestamptz", "late": "string",
    }  # fmt: skip
    assert read(scan).rows[1] == ("1", "1.10", "2026-01-01T01:00:00+00:00", None, '[{"sku":"a"}]', '{"n":1}', 0)


def test_rows_are_judged_by_a_contract_and_published(project):
    project.define(
        sources={
            "orders": {
                "dlt": {"source": "ours.py:orders", "args": {"count": 5}},
                "contract": {"columns": {"id": {"type": "int64", "at_most": 3}}},
            }
        },
        sinks=[{"file": {"path": "out/", "format": "parquet"}}],
    )
    run = project.run()
    assert (run.read, run.quarantined) == (5, 1)
    with duckdb.connect() as con:
        rows = con.execute("SELECT id, amount, placed FROM read_parquet($1)", [str(project.folder / "out" / "*.parquet")])
        assert [d[1] for d in rows.description] == ["BIGINT", "DECIMAL(10,2)", "TIMESTAMP WITH TIME ZONE"]
        assert [row[0] for row in rows.fetchall()] == [0, 1, 2, 3]


def test_tables_keep_their_types(project):
    scan = source("tables").scan(project.folder)
    assert [(c.name, str(c.type)) for c in scan.schema] == [("a", "int64"), ("b", "string")]
    assert [row[:2] for row in read(scan).rows] == [(1, "x"), (2, "y"), (3, "z")]


def test_a_transformer_brings_what_it_is_fed_by(project):
    assert [row[0] for row in read(source("doubled").scan(project.folder)).rows] == ["0", "0", "1", "1", "2", "2"]


def test_secrets_and_configuration_reach_a_source_and_nothing_else(project, monkeypatch):
    secret = Secret("${secret:env/TOKEN}", Vault.of(project.folder, {"TOKEN": CANARY}))
    config = {"sources.token": secret, "sources.size": 7}
    shop = source("shop", resource="seen", config=config)
    assert read(shop.scan(project.folder)).rows == [(CANARY, "7", 0)]
    assert CANARY not in repr(shop)
    assert not any(CANARY in value for value in os.environ.values())
    with pytest.raises(NonRetryableError, match=r"Missing 2 field\(s\) in configuration.*`token`"):
        source("shop", resource="seen").scan(project.folder)


def test_secrets_in_arguments_are_passed_and_not_told(project):
    secret = Secret("${secret:env/TOKEN}", Vault.of(project.folder, {"TOKEN": CANARY}))
    with pytest.raises(NonRetryableError, match=r"ours.py:failing` raised ValueError: bad token \*\*\*"):
        read(source("failing", args={"token": secret}).scan(project.folder))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("shop", {"config": {"sources.token": "t", "sources.size": 1}}, "has several resources"),
        ("shop", {"config": {"sources.token": "t", "sources.size": 1}, "resource": "sen"}, "has no resource `sen`"),
        ("orders", {"resource": "others"}, "is a resource that is called `orders`"),
        ("no_resource", {}, "neither a source nor a resource"),
        ("ordrs", {}, "no function `ordrs`"),
        ("nothing", {}, "columns are unknown"),
        ("late_key", {}, "key `late`"),
        ("mixed", {}, "rows or tables, not both"),
        ("orders", {"args": {"cuont": 1}}, "raised TypeError"),
    ],
)
def test_what_is_wrong_with_a_resource_is_said(name, options, words, project):
    with pytest.raises(NonRetryableError, match=words):
        read(source(name, **options).scan(project.folder))


def test_a_connection_that_fails_may_be_tried_again(project):
    with pytest.raises(RetryableError, match="raised ConnectionError: no route"):
        source("gone").scan(project.folder)


def test_columns_can_be_named(project):
    assert [row[0] for row in read(source("late_key", columns=["late"]).scan(project.folder)).rows][1499:1501] == [None, "1"]
    assert read(source("nothing", columns=["a"]).scan(project.folder)).rows == []


def test_columns_of_tables_can_be_named(project):
    scan = source("tables", columns=["b"]).scan(project.folder)
    assert [row[:1] for row in read(scan).rows] == [("x",), ("y",), ("z",)]
    with pytest.raises(NonRetryableError, match="a table without the column `c`"):
        source("tables", columns=["c"]).scan(project.folder)


def test_the_source_keeps_the_laws_of_sources(project):
    source_conforms(source("tables"), project.folder)


# Its own memory ------------------------------------------------------------------------------------------------------


@pytest.fixture
def remembering(project: Project) -> Project:
    change(project, *[(i, i) for i in range(4)])
    return project.define(
        sources={
            "t": {
                "dlt": {"source": "ours.py:changes"},
                "incremental": {"by": "source"},
                "contract": {"columns": {"id": {"type": "int64"}, "changed": {"type": "int64"}}},
            }
        },
        sinks=[{"file": {"path": "out/", "format": "csv", "mode": "append"}}],
    )


def change(project: Project, *rows: tuple[int, int]) -> None:
    project.text("data.json", json.dumps([{"id": i, "changed": at} for i, at in rows]))


def ids(project: Project) -> list[str]:
    return sorted(row["id"] for row in project.published("out"))


def test_a_resource_that_remembers_goes_on_where_the_run_before_ended(remembering):
    assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["0", "1", "2", "3"]
    assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["0", "1", "2", "3"]
    change(remembering, (3, 3), (4, 3), (5, 5))  # another shares the highest value
    assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["0", "1", "2", "3", "4", "5"]
    assert remembering.cli("run", str(remembering.file), "--full-refresh") == 0
    assert ids(remembering) == ["3", "4", "5"]
    change(remembering, (5, 5), (6, 6))
    assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["3", "4", "5", "6"]


def test_a_run_that_dies_neither_loses_nor_doubles(remembering):
    """It dies when its rows are staged; by the time that another goes on with it, there are more."""
    environment = {**os.environ, failpoints.VARIABLE: "staged"}
    command = [sys.executable, "-m", "headrace", "run", str(remembering.file)]
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (remembering.folder / "out" / "_manifest.json").exists()
    change(remembering, *[(i, i) for i in range(6)])
    for _ in range(2):
        assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["0", "1", "2", "3", "4", "5"]


def test_what_is_not_published_is_not_remembered(remembering):
    before = remembering.file.read_text()
    remembering.define(**{**_parts(before), "checks": [{"row_count": {"min": 100}}]})
    assert remembering.cli("run", str(remembering.file)) == 1
    remembering.file.write_text(before)
    assert remembering.cli("run", str(remembering.file)) == 0
    assert ids(remembering) == ["0", "1", "2", "3"]


def test_without_increments_everything_is_read_each_time(remembering):
    parts = _parts(remembering.file.read_text())
    del parts["sources"]["t"]["incremental"]
    parts["sinks"] = [{"file": {"path": "out/", "format": "csv"}}]
    remembering.define(**parts)
    for _ in range(2):
        assert remembering.cli("run", str(remembering.file)) == 0
        assert ids(remembering) == ["0", "1", "2", "3"]


def test_only_a_source_that_remembers_can_be_asked_to(remembering):
    parts = _parts(remembering.file.read_text())
    remembering.text("in.csv", "id\n1\n")
    parts["sources"]["t"] = {"file": "in.csv", "incremental": {"by": "source"}}
    with pytest.raises(DefinitionError, match="`file` does not remember how far it was read"):
        remembering.define(**parts).run()


def _parts(written: str) -> dict[str, Any]:
    return {k: v for k, v in yaml.safe_load(written).items() if k not in ("version", "pipeline")}


# What comes with dlt -------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().running() as running:
        yield running


def test_the_rest_api_source_of_dlt(server, project):
    server.routes["/items"] = pages_of([{"id": i} for i in range(25)], 10)
    config = {
        "client": {"base_url": server.url(), "paginator": {"type": "page_number", "base_page": 1, "total_path": "meta.pages"}},
        "resources": [{"name": "items", "endpoint": {"path": "items", "data_selector": "data.items"}}],
    }
    found = DltSource.model_validate({"source": "dlt.sources.rest_api:rest_api_source", "args": {"config": config}})
    assert [int(row[0]) for row in read(found.scan(project.folder)).rows] == list(range(25))


def test_the_filesystem_source_of_dlt(project):
    project.text("files/a.txt", "aa")
    project.text("files/b.txt", "b")
    args = {"bucket_url": (project.folder / "files").as_uri(), "file_glob": "*.txt"}
    found = DltSource.model_validate(
        {"source": "dlt.sources.filesystem:filesystem", "args": args, "columns": ["file_name", "size_in_bytes"]}
    )
    assert sorted(row[:2] for row in read(found.scan(project.folder)).rows) == [("a.txt", "2"), ("b.txt", "1")]


@pytest.mark.parametrize("backend", ["sqlalchemy", "pyarrow"])
def test_the_sql_database_source_of_dlt(backend, project):
    with closing(sqlite3.connect(project.folder / "data.db")) as con:
        con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        con.executemany("INSERT INTO t VALUES (?, ?)", [(i, f"v{i}") for i in range(20)])
        con.commit()
    args = {"credentials": f"sqlite:///{project.folder / 'data.db'}", "table": "t", "backend": backend}
    found = DltSource.model_validate({"source": "dlt.sources.sql_database:sql_table", "args": args})
    scan = found.scan(project.folder)
    assert [(int(row[0]), row[1]) for row in read(scan).rows] == [(i, f"v{i}") for i in range(20)]


QUIET = """
import sys
from pathlib import Path

told = []
sys.addaudithook(lambda event, details: told.append(details) if event in ("socket.connect", "socket.getaddrinfo") else None)

from headrace.infrastructure.connectors.dlt_source import DltSource

found = DltSource.model_validate({"source": "ours.py:orders"})
scan = found.scan(Path())
folder = Path("f")
folder.mkdir()
from headrace.business.fetched import Wanted

scan.own_position.start(None)
scan.fetch(folder, Wanted())
sys.exit(str(told) if told else 0)
"""


def test_nothing_is_sent_home_and_nothing_left_behind(project, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-c", QUIET], cwd=project.folder, env={**os.environ, "HOME": str(home)},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(home.rglob("*")) == []
