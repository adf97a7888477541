"""What is in the database of the engine stays there: sources are read where they are, and sinks are published to without a row leaving."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.postgres_server import PostgresServer
from tests.integration.pushdown.both import by_both, engine_of
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.application.queries.runs import all_runs
from headrace.errors import AuditFailed, DefinitionError, UsageError
from headrace.infrastructure.detours import parts_of

SHOP = """
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE TABLE shop.sales (
    id bigint, amount numeric(10, 2), free numeric, at timestamptz, day date, tags text[], note varchar(20), mood shop.mood, who uuid, extra jsonb,
    ratio double precision, small smallint, raw bytea, open boolean
);
INSERT INTO shop.sales SELECT i, i * 1.25, i, '2024-01-01'::timestamptz + i * interval '1 hour', '2024-01-01'::date + i, ARRAY['t' || i, NULL],
    'n' || i, 'ok', '00000000-0000-0000-0000-00000000000a', '{"a": 1}', i / 3.0, i, '\\x00ff', i % 2 = 0 FROM generate_series(1, 500) AS i;
INSERT INTO shop.sales (id, amount, note, ratio) VALUES (7, 1, NULL, 'NaN'), (NULL, -1, '', 'Infinity'), (1000, -0.01, 'x', '-0');
"""
CONTRACT: dict[str, Any] = {
    "columns": {"id": {"required": True}, "amount": {"at_least": 0}, "free": {"type": "decimal(12, 3)"}}
}
STEPS = [{"derive": {"double": "amount * 2", "hour": "date_trunc('hour', at)"}}, {"filter": "small is null or small < 400"}]


def filled(url: str, script: str = SHOP) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(script)  # type: ignore[call-overload]


def asked(url: str, query: str) -> Sequence[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query).fetchall()  # type: ignore[call-overload]


@pytest.mark.parametrize("key", [None, ["id"]], ids=["judged at once", "judged by key"])
def test_a_table_of_the_database_is_judged_as_if_it_had_been_pulled_out(key: Any, tmp_path: Path, postgres: str) -> None:
    filled(postgres)
    contract = {**CONTRACT, "key": key} if key else CONTRACT
    source = {"postgres": {"url": postgres, "table": "shop.sales"}, "contract": contract}
    duck, here = by_both(tmp_path, postgres, {}, sources={"sales": source}, steps=STEPS)
    assert here == duck
    assert duck.balances["sales"] == [503, 499 if key else 501, 4 if key else 2, 0, 0]


def test_no_row_leaves_the_database(tmp_path: Path, postgres: str, postgres_server: PostgresServer) -> None:
    filled(postgres, SHOP.rpartition("INSERT")[0])
    name = postgres.rpartition("/")[2]
    filled(postgres_server.url(), f"ALTER DATABASE {name} SET log_statement = 'all'")
    log = postgres_server.folder / "log"
    before = log.stat().st_size
    project = engine_of(tmp_path, postgres)
    project.define(
        engine="postgres",
        sources={"sales": {"postgres": {"url": postgres, "query": "SELECT id, amount, small, at FROM shop.sales"}, "contract": {"columns": {"id": {"unique": True}}}}},
        steps=STEPS,
        checks=[{"row_count": {"min": 399, "max": 399}}, {"mean": {"column": "double", "at_least": 0}}],
        sinks=[{"postgres": {"url": postgres, "table": "mart.sales", "mode": "merge", "key": "id"}}],
    )  # fmt: skip
    run = project.run()
    with log.open() as file:
        file.seek(before)
        said = file.read()
    assert run.state == "succeeded"
    assert asked(postgres, "SELECT count(*), sum(double) FROM mart.sales") == [(399, 2 * 1.25 * 399 * 400 / 2)]
    assert "INSERT INTO" in said
    assert not re.search(r"COPY .* (TO|FROM) STD", said, re.IGNORECASE)
    out = [s for s in re.findall(r"(?:statement|execute [^:]*): (SELECT.*)", said) if "shop" in s]
    assert out == [], "what reads the source makes a table of it"
    assert (
        asked(postgres, "SELECT relname FROM pg_class WHERE relnamespace = 'headrace_staging'::regnamespace AND relkind = 'r'")
        == []
    )


TARGET = "CREATE TABLE kept (id bigint PRIMARY KEY, amount numeric(10, 2), who uuid, own text DEFAULT 'mine'); INSERT INTO kept VALUES (1, 1, NULL, 'theirs'), (900, 9, NULL, 'theirs')"
DAYS = ["id,amount,who\n1,1.50,00000000-0000-0000-0000-00000000000a\n2,2.00,\n", "id,amount,who\n2,2.00,\n3,3.00,\n1,1.75,\n"]


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_every_mode_leaves_the_same_table_whether_rows_come_from_inside_or_outside(
    mode: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    left = []
    for engine in ("duckdb", "postgres"):
        url = postgres_server.new_database()
        keyed = mode in ("merge", "scd2")
        if mode == "merge":
            filled(url, TARGET)
        project = engine_of(tmp_path / engine, url)
        for day in DAYS:
            project.text("in.csv", day)
            project.define(
                engine=engine,
                sources={"rows": {"file": {"path": "in.csv"}, "contract": {"columns": {"id": "int64", "amount": "decimal(10, 2)", "who": "string"}}}},
                sinks=[{"postgres": {"url": url, "table": "kept", "mode": mode, **({"key": "id"} if keyed else {}), "indexes": ["amount"]}}],
            )  # fmt: skip
            run = project.run()
            assert project.run().sinks == {} or mode == "scd2", "twice is once"
            left.append({k: run.sinks["postgres"][k] for k in ("rows", "inserted", "updated", "deleted", "unchanged")})
        columns = "id, amount, who::text" + (", is_current, valid_to IS NULL" if mode == "scd2" else "")
        left.append(asked(url, f"SELECT {columns} FROM kept ORDER BY id, amount"))
        left.append(asked(url, "SELECT count(*) FROM pg_indexes WHERE tablename = 'kept'"))
        left.append(
            asked(
                url,
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'kept' ORDER BY ordinal_position",
            )
        )
    half = len(left) // 2
    assert left[:half] == left[half:]


MADE_BY_HAND = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE kept (id bigint, amount numeric, who uuid, mood mood, at timestamptz, extra jsonb, ratio double precision, tags text[]);
INSERT INTO kept VALUES
    (1, 1.005, NULL, 'ok', '2024-01-01 00:00:00+00', '{"a": 1}', 0.1, '{a,NULL}'),
    (900, 9, '00000000-0000-0000-0000-00000000000a', NULL, NULL, NULL, NULL, NULL);
"""
SUMS = {
    "amounts": "sum(amount)", "whose": "min(who)", "moods": "max(mood)", "latest": "max(at)", "extras": "count(extra)",
    "ratios": "sum(ratio)", "tags": "max(list_length(tags))", "rows": "count(*)",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_what_a_target_holds_is_compared_where_it_is(
    mode: str, tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The same is seen as when it is copied out, before the run and after, and no row of it moves."""
    filled(postgres, MADE_BY_HAND)
    types = {"id": "int32", "amount": "decimal(10, 2)", "who": "string", "mood": "string", "at": "timestamptz", "extra": "json", "ratio": "float32", "tags": "list<string>"}  # fmt: skip
    lines = [
        {
            "id": 1,
            "amount": "2.50",
            "mood": "sad",
            "at": "2024-02-01T00:00:00Z",
            "extra": {"b": 2},
            "ratio": 0.25,
            "tags": ["x"],
        },
        {"id": 3, "amount": "4.00", "who": "00000000-0000-0000-0000-00000000000b"},
    ]
    checks = [
        {"name": f"{name}_{when}", "reconcile": {"against": "out", "when": when, "measure": measure, "on_fail": "warn"}}
        for name, measure in SUMS.items() for when in ("before", "after")
    ]  # fmt: skip
    seen = []
    log = postgres_server.folder / "log"
    filled(postgres_server.url(), f"ALTER DATABASE {postgres.rpartition('/')[2]} SET log_statement = 'all'")
    for engine in ("duckdb", "postgres"):
        before = log.stat().st_size
        project = engine_of(tmp_path / engine, postgres)
        project.text("in.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
        sink = {"url": postgres, "table": "kept", "mode": mode, **({"key": "id"} if mode == "merge" else {})}
        project.define(
            engine=engine, sources={"rows": {"file": {"path": "in.jsonl"}, "contract": {"columns": types}}},
            checks=[*checks, {"name": "stop", "row_count": {"max": 1}}], sinks=[{"name": "out", "postgres": sink}],
        )  # fmt: skip
        with pytest.raises(AuditFailed):
            project.run()
        seen.append({c["check"]: (c["outcome"], c["observed"]) for c in all_runs(project.store)[0].checks})
    assert seen[1] == seen[0]
    assert len(seen[0]) == 2 * len(SUMS) + 1
    assert not any(outcome == "error" for outcome, _ in seen[0].values())
    with log.open() as file:
        file.seek(before)
        said = file.read()
    assert re.findall(r"COPY .*TO STD", said, re.IGNORECASE) == [], "nothing comes out"
    assert len(re.findall(r"COPY .*FROM STD", said, re.IGNORECASE)) == 1, "only the file goes in"


def test_rows_for_another_database_are_taken_out_once(tmp_path: Path, postgres: str, postgres_server: PostgresServer) -> None:
    other = postgres_server.new_database()
    project = engine_of(tmp_path, postgres)
    project.text("in.csv", "id,at\n1,2024-01-01 00:00:00\n2,\n")
    project.define(
        engine="postgres",
        sources={"rows": {"file": {"path": "in.csv"}, "contract": {"columns": {"id": "int64", "at": "timestamp"}}}},
        sinks=[
            {"name": "there", "postgres": {"url": other, "table": "t"}}, {"name": "here", "postgres": {"url": postgres, "table": "t"}},
            {"name": "lake", "file": {"path": "out/", "format": "parquet"}}, {"name": "lite", "sqlite": {"path": "t.sqlite", "table": "t"}},
        ],
    )  # fmt: skip
    project.run()
    assert asked(other, "SELECT * FROM t ORDER BY id") == asked(postgres, "SELECT * FROM t ORDER BY id")
    assert len(asked(other, "SELECT * FROM t")) == 2


def test_columns_that_nobody_asks_for_are_not_loaded(tmp_path: Path, postgres: str, postgres_server: PostgresServer) -> None:
    """Unless a row may be held back: that is kept as it came. Lines that cannot be read are, whatever is loaded."""
    filled(postgres_server.url(), f"ALTER DATABASE {postgres.rpartition('/')[2]} SET log_statement = 'all'")
    loaded = []
    for contract in ({}, {"contract": {"columns": {"a": {"in": ["q"]}}}}):
        project = engine_of(tmp_path / str(len(loaded)), postgres)
        project.text("in.csv", "a,b,c\np,x,y\nq,x,y\nq,x,y,z\n")
        before = (postgres_server.folder / "log").stat().st_size
        run = project.define(
            engine="postgres", sources={"rows": {"file": {"path": "in.csv"}, **contract}}, steps=[{"select": ["b"]}],
            sinks=[{"file": {"path": "out.parquet"}}],
        ).run()  # fmt: skip
        with (postgres_server.folder / "log").open() as log:
            log.seek(before)
            loaded.append(re.findall(r"COPY .*arrived.* \((.*)\) FROM STDIN", log.read()))
        assert (run.read, run.written, run.quarantined) == (3, 2 - len(contract), 1 + len(contract))
    assert loaded == [
        ['"#rowid", "_file", "#:raw b"'], ['"#rowid", "_file", "#:raw a", "#:raw b", "#:raw c"'],
    ]  # fmt: skip


def test_a_column_that_postgres_cannot_keep_may_be_left_out_at_once(tmp_path: Path, postgres: str) -> None:
    project = engine_of(tmp_path, postgres)
    rows = {"id": [1, 2], "deep": [{"a": 1}, {"a": 2}], "deeper": [[[1], [2, 3]], None]}
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    parts: dict[str, Any] = {"engine": "postgres", "sources": {"rows": {"file": {"path": "in.parquet"}}}}
    steps = [{"select": ["id"]}, {"derive": {"twice": "id * 2"}}]
    run = project.define(**parts, steps=steps, sinks=[{"file": {"path": "out.csv"}}]).run()
    assert (run.read, run.written) == (2, 2)
    project.define(**parts, steps=steps[1:], sinks=[{"file": {"path": "all/"}}])
    with pytest.raises(DefinitionError, match=r"(?s)`deep` is .*no struct.*`deeper` is .*rectangle"):
        project.run()


def test_the_plan_says_what_moves(tmp_path: Path, postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    filled(postgres)
    project = engine_of(tmp_path, postgres)
    project.text("in.csv", "id\n1\n")
    project.define(
        engine="postgres",
        sources={"sales": {"postgres": {"url": postgres, "table": "shop.sales"}}, "rows": {"file": {"path": "in.csv"}}},
        steps=[{"sql": "select s.id from sales s join rows r on s.id = r.id"}],
        sinks=[{"name": "here", "postgres": {"url": postgres, "table": "t"}}, {"name": "lake", "file": {"path": "out/"}}],
    )
    assert project.cli("plan", str(project.file)) == 0
    said = capsys.readouterr().out
    for words in (
        "sales: read where it is, inside the database", "rows: loaded into the staging schema by COPY",
        "here: published inside the database", "lake: its rows are taken out of the database", "CREATE UNLOGGED TABLE",
    ):  # fmt: skip
        assert words in said


def test_the_engine_is_told_of_its_database_by_a_connection(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its secret, with what the environment puts over it, and as the same database as its sources and sinks are in."""
    filled(postgres)
    role, name = f"etl_{postgres[-8:]}", postgres.rpartition("/")[2]
    filled(postgres, f"CREATE ROLE {role} LOGIN SUPERUSER")
    (tmp_path / "headrace.toml").write_text(
        '[engines.postgres]\nconnection = "warehouse"\nschema = "room"\n[connections.warehouse]\nkind = "postgres"\nhost = "nowhere"\n'
        f'port = {parts_of(postgres)["port"]}\nuser = "{role}"\npassword = "${{secret:env/ROOM_KEY}}"\ndatabase = "{name}"\n'
    )
    monkeypatch.setenv("ROOM_KEY", "of no use")
    monkeypatch.setenv("HEADRACE_CONNECTION__WAREHOUSE__HOST", "127.0.0.1")
    project = Project(tmp_path).define(
        engine="postgres",
        sources={"sales": {"postgres": {"connection": "warehouse", "table": "shop.sales"}}},
        sinks=[{"postgres": {"connection": "warehouse", "table": "copied"}}, {"name": "file", "file": {"path": "out.parquet"}}],
    )
    notes = bootstrap.prepare(bootstrap.load(project.file)).plan.notes
    assert "sales: read where it is, inside the database" in notes
    assert "postgres: published inside the database, in one transaction" in notes
    assert project.run().written == 2 * 503
    assert asked(postgres, "SELECT tableowner FROM pg_tables WHERE tablename = 'copied'") == [(role,)]
    assert asked(postgres, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'room'") == [(role,)]


def test_a_connection_of_another_kind_is_no_database_for_the_engine(tmp_path: Path) -> None:
    project = Project(tmp_path).define(
        engine="postgres",
        sources={"a": {"python": {"call": "rows.py:rows"}}}, sinks=[{"file": {"path": "out.parquet"}}],
    )  # fmt: skip
    settings = '[engines.postgres]\nconnection = "shop"\n[connections.shop]\nkind = "mysql"\nhost = "localhost"\n'
    (tmp_path / "headrace.toml").write_text(settings)
    with pytest.raises(UsageError, match=r"`connection` of \[engines.postgres\] names `shop`, which is of kind `mysql`"):
        project.run()
    (tmp_path / "headrace.toml").write_text(settings.replace('"shop"', '"shops"'))
    with pytest.raises(DefinitionError, match="there is no connection `shops`"):
        project.run()
