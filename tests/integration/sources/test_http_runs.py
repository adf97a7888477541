"""Whole runs over the source `http`: by a connection, with a contract, quarantine, and increments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.integration.rest_server import Asked, Reply, RestServer, pages_of
from tests.integration.runs.project import Project
from tests.integration.sources.incrementally import Runs

from headrace import bootstrap
from headrace.application.cli.invocation import invoke
from headrace.errors import DefinitionError

CANARY = "c4nary-53cret"


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().running() as running:
        yield running


class Shop:
    """An API of orders by the time of their change, that gives those changed at `since` or later, and wants a token."""

    def __init__(self, server: RestServer, at_once: int = 3) -> None:
        self.orders: list[dict[str, Any]] = []
        self.at_once = at_once
        self.since: list[str | None] = []
        server.routes["/v1/orders"] = self.answer

    def add(self, number: int, changed: str, amount: str = "1.50") -> None:
        self.orders.append({"id": number, "changed": changed, "amount": amount, "buyer": {"name": f"n{number}"}})

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {CANARY}":
            return Reply({"error": "who are you?"}, 401)
        since = asked.query.get("since")
        self.since.append(since)
        found = [o for o in self.orders if since is None or o["changed"].replace(" ", "T") >= since.removesuffix("Z")]
        found.sort(key=lambda order: order["changed"])
        return pages_of(found, self.at_once)(asked)


def http(**options: Any) -> dict[str, Any]:
    pages = {"number": {"total": "meta.total"}}
    return {"http": {"connection": "shop", "path": "orders", "records": "data.items", "pages": pages, **options}}


CONTRACT = {
    "columns": {
        "id": {"type": "int64", "required": True},
        "changed": {"type": "timestamp", "required": True},
        "amount": {"type": "decimal(10, 2)", "at_least": 0},
        "buyer": {"type": "json"},
    },
    "key": ["id"],
}
COLUMNS = ["id", "changed", "amount", "buyer"]
SINCE = {"param": "since", "format": "iso"}


@pytest.fixture
def project(tmp_path: Path, server: RestServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the connection `shop`."""
    monkeypatch.setenv("SHOP_TOKEN", CANARY)
    (tmp_path / "headrace.toml").write_text(
        f'[connections.shop]\nkind = "http"\nbase_url = "{server.url("/v1")}"\nrate = "1000 per second"\n'
        'auth = {bearer = "${secret:env/SHOP_TOKEN}"}\n'
    )
    return Project(tmp_path)


def published(project: Project) -> list[tuple[Any, ...]]:
    query = "SELECT id, changed::VARCHAR, amount::VARCHAR, buyer->>'name' FROM read_parquet($1) ORDER BY id"
    with duckdb.connect() as con:
        return con.execute(query, [str(project.folder / "out" / "*.parquet")]).fetchall()


def test_an_api_is_read_by_increments_and_what_is_wrong_held_back(project, server, capsys):
    shop = Shop(server)
    for number in range(1, 8):
        shop.add(number, f"2026-01-0{number} 10:00:00", "-3.00" if number == 5 else "1.50")
    project.define(
        sources={
            "orders": {
                **http(since=SINCE, columns=COLUMNS),
                "contract": CONTRACT,
                "incremental": {"by": "cursor", "cursor": "changed"},
            }
        },
        sinks=[{"file": {"path": "out/", "format": "parquet", "mode": "append"}}],
    )
    assert project.cli("run", str(project.file)) == 0
    assert [row[0] for row in published(project)] == [1, 2, 3, 4, 6, 7]
    assert published(project)[0] == (1, "2026-01-01 10:00:00", "1.50", "n1")
    assert project.cli("quarantine", "show", "latest", "--project", str(project.folder)) == 0
    shown = capsys.readouterr().out
    assert f"{server.url('/v1/orders')}?page=2 (page 2)" in shown
    assert "amount.at_least" in shown

    assert project.cli("run", str(project.file)) == 0
    assert len(published(project)) == 6

    shop.add(8, "2026-01-07 10:00:00")  # shares the highest value, and came later
    shop.add(9, "2026-01-09 10:00:00")
    assert project.cli("run", str(project.file)) == 0
    assert [row[0] for row in published(project)] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert shop.since[-1] == "2026-01-07T10:00:00Z"

    assert project.cli("run", str(project.file), "--full-refresh") == 0
    assert [row[0] for row in published(project)] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert shop.since[-1] is None
    traces = [p for p in project.folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]
    assert traces == []
    assert CANARY not in capsys.readouterr().out


def test_rows_that_share_the_highest_value_come_once_each(project, server):
    shop = Shop(server)
    runs = Runs(project.folder, http(since=SINCE, columns=COLUMNS), {"cursor": "changed"}, contract=CONTRACT)
    shop.add(1, "2026-01-01 10:00:00")
    shop.add(2, "2026-01-02 10:00:00")
    assert [row[0] for row in runs.run()] == [1, 2]
    assert runs.run() == []
    shop.add(3, "2026-01-02 10:00:00")
    shop.add(4, "2026-01-01 09:00:00")  # below what was read, so the server does not give it
    assert [row[0] for row in runs.run()] == [3]
    assert runs.run() == []
    assert shop.since == [None, "2026-01-02T10:00:00Z", "2026-01-02T10:00:00Z", "2026-01-02T10:00:00Z"]


@pytest.mark.parametrize(
    ("since", "given"),
    [
        ({"param": "since"}, "2026-01-02 10:00:00"),
        ({"param": "since", "format": "date"}, "2026-01-02"),
        ({"param": "since", "format": "epoch"}, "1767348000"),
        ({"param": "since", "format": "epoch_ms"}, "1767348000000"),
        ({"param": "since", "format": "%d/%m/%Y"}, "02/01/2026"),
    ],
)
def test_how_far_earlier_runs_read_is_written_as_the_api_wants_it(since, given, project, server):
    shop = Shop(server)
    shop.answer = lambda asked: (shop.since.append(asked.query.get("since")), Reply({"data": {"items": shop.orders}}))[1]
    server.routes["/v1/orders"] = shop.answer
    shop.add(1, "2026-01-02 10:00:00")
    source = http(since={**since, "initial": "start"}, columns=COLUMNS, pages=None)
    runs = Runs(project.folder, source, {"cursor": "changed"}, contract=CONTRACT)
    assert [row[0] for row in runs.run()] == [1]
    assert runs.run() == []
    assert shop.since == ["start", given]


def test_the_types_of_columns_are_found_out_from_the_first_page(project, server):
    shop = Shop(server)
    shop.add(1, "2026-01-02 10:00:00")
    plan = bootstrap.plan(bootstrap.build({"version": 1, "pipeline": "p", "sources": {"t": http()}}, {}, project.folder))
    assert {c.name: str(c.type) for c in plan.sources[0].schema} == {
        "id": "int64", "changed": "timestamp", "amount": "float64", "buyer": "string",
    }  # fmt: skip
    assert len(shop.since) == 1


def test_a_plan_asks_nothing_when_the_definition_says_all(project, server):
    source = {**http(columns=COLUMNS), "contract": CONTRACT}
    bootstrap.plan(bootstrap.build({"version": 1, "pipeline": "p", "sources": {"t": source}}, {}, project.folder))
    assert server.asked == []


def test_since_needs_a_column_to_go_by(project, server):
    Shop(server).add(1, "2026-01-02 10:00:00")
    with pytest.raises(DefinitionError, match="`since` is given how far") as caught:
        bootstrap.plan(
            bootstrap.build({"version": 1, "pipeline": "p", "sources": {"t": http(since=SINCE)}}, {}, project.folder)
        )
    assert "incremental: {by: cursor" in str(caught.value)


def test_records_that_moved_to_the_next_page_while_they_were_read_come_once(project, server):
    """A record is added in front while pages are read, so the last of a page comes again as the first of the next."""
    shop = Shop(server)
    for number in range(1, 7):
        shop.add(number, f"2026-01-0{number} 10:00:00")
    whole = shop.answer

    def answer(asked: Asked) -> Reply:
        if asked.query["page"] == "2":
            shop.add(7, "2025-12-31 10:00:00")
        return whole(asked)

    server.routes["/v1/orders"] = answer
    project.define(
        sources={"orders": http(columns=COLUMNS, pages={"number": {"total": "meta.total", "parallel": 1}})},
        steps=[{"dedupe": {"key": ["id"]}}],
        sinks=[{"file": {"path": "out/", "format": "parquet"}}],
    )
    assert project.run().read == 7
    assert [row[0] for row in published(project)] == [1, 2, 3, 4, 5, 6]


# Connections ---------------------------------------------------------------------------------------------------------


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = invoke([*map(str, words)], lambda: bootstrap)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_connection_is_tried(project, server, capsys):
    server.serve("/v1", Reply({}))
    code, out, _ = typed(capsys, "connection", "test", "shop", "--project", project.folder, "--json")
    assert code == 0
    assert json.loads(out)["server"].startswith("BaseHTTP")
    assert server.asked[0].headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("reply", "words"),
    [(Reply({"error": "no"}, 401), "answered 401"), (Reply({}, 500), "answered 500"), (Reply({}, cut=1), "has 1 bytes")],
)
def test_a_connection_that_does_not_work_says_why(reply, words, project, server, capsys):
    server.serve("/v1", reply)
    code, out, err = typed(capsys, "connection", "test", "shop", "--project", project.folder)
    assert code == 1
    assert words in err
    assert CANARY not in out + err
    assert len(server.asked) == 1


def test_nothing_at_the_address_itself_is_an_answer(project, capsys):
    code, out, _ = typed(capsys, "connection", "test", "shop", "--project", project.folder)
    assert (code, "nothing at `base_url` itself" in out) == (0, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"connection": "shop", "url": "https://a.example/"}, "not both"),
        ({"connection": "shop", "rate": "1 per second"}, "`rate` stands in the connection `shop`"),
        ({"url": "https://a.example/", "path": "orders"}, "`path` is meant from the `base_url`"),
        ({"connection": "shpo"}, "there is no connection `shpo`"),
        ({"url": "https://a.example/", "body": {}}, "a GET has no `body`"),
        ({"url": "https://a.example/", "pages": {"cursor": {"path": "c", "in": "body"}}}, "`pages` goes into a `body`"),
        ({"connection": "shop", "path": "with space"}, "not an address that can be asked"),
        ({"url": "https://a.example/", "pages": {"number": {"size": 5}}}, "belong together"),
        ({"url": "https://a.example/", "pages": "nmber"}, "nmber"),
        ({"url": "https://a.example/", "records": "a[*]"}, "is not a path into JSON"),
        ({"url": "https://a.example/", "rate": "often"}, "is not a rate"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, words, project):
    project.define(sources={"t": {"http": options}})
    with pytest.raises(DefinitionError, match=words):
        project.load()


def test_an_api_that_is_away_leaves_the_target_as_it_was(project, server):
    shop = Shop(server)
    shop.add(1, "2026-01-02 10:00:00")
    written = {
        "sources": {"orders": {**http(columns=COLUMNS), "contract": CONTRACT}},
        "sinks": [{"file": {"path": "out/", "format": "parquet"}}],
        "retry": {"attempts": 2, "base_delay": "1ms"},
    }
    project.define(**written)
    assert project.run().state == "succeeded"
    before = published(project)
    shop.add(2, "2026-01-03 10:00:00")
    server.serve("/v1/orders", Reply({"data": {"items": [1, 2]}}, cut=10))
    asked = len(server.asked)
    assert project.cli("run", str(project.file)) == 1
    assert len(server.asked) - asked == 2, "the attempts of the request are those of the run"
    assert published(project) == before
    assert list((project.folder / ".headrace").rglob("*.jsonl")) == []


def test_an_array_in_a_file_is_read_from_the_folder_of_the_project(tmp_path, monkeypatch):
    """What is laid down for reading lies where the engine may read, wherever the command is typed."""
    project = Project(tmp_path)
    project.text("in.json", '[{"a": 1}, {"a": 2}]')
    project.define(sources={"t": {"file": "in.json"}}, sinks=[{"name": "out", "file": "out.csv"}])
    monkeypatch.chdir(tmp_path)
    assert invoke(["run", "pipeline.yaml"], lambda: bootstrap) == 0
    assert project.published() == [{"a": "1"}, {"a": "2"}]
