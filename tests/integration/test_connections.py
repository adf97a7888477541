"""`headrace connection` and what stands behind it, against a real PostgreSQL: when all is well, and when one thing is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from headrace import bootstrap
from headrace.application.cli.invocation import invoke


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    capsys.readouterr()
    code = invoke([*map(str, words)], lambda: bootstrap)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def project(tmp_path: Path, postgres: str) -> Path:
    """A project with the connection `db`, whose user has a password that the environment gives."""
    at = urlsplit(postgres)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS reader")
        admin.execute("CREATE ROLE reader LOGIN PASSWORD 'geheim'")
        admin.execute("CREATE TABLE secrets (id int)")
    (tmp_path / "headrace.toml").write_text(
        f'[connections.db]\nkind = "postgres"\nhost = "127.0.0.1"\nport = {at.port}\nuser = "reader"\n'
        f'password = "${{secret:env/DB_PASSWORD}}"\ndatabase = "{at.path[1:]}"\n'
    )
    return tmp_path


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "geheim")


def test_a_connection_is_tried_and_says_who_is_there(project, capsys):
    code, out, _ = typed(capsys, "connection", "test", "db", "--project", project, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["reached"]
    assert found["server"].startswith("PostgreSQL 1")
    assert (found["user"], found["tls"], found["verified"]) == ("reader", None, False)
    assert found["round_trip_ms"] > 0
    assert found["rights"] == {"create tables in schema public": False, "create schemas": False, "make temporary tables": True}
    code, out, _ = typed(capsys, "connection", "test", "db", "--project", project)
    assert code == 0
    assert "none: what is sent can be read on the way" in out


def test_connections_are_listed_without_their_secrets(project, capsys, monkeypatch):
    monkeypatch.setenv("HEADRACE_CONNECTION__LAKE__KIND", "postgres")
    monkeypatch.setenv("HEADRACE_CONNECTION__LAKE__URL", "postgresql://me:geheim@db.example.com/lake")
    code, out, _ = typed(capsys, "connection", "--project", project, "--json")
    listed = {line["name"]: line["address"] for line in json.loads(out)}
    assert code == 0
    assert listed["lake"] == "postgres://db.example.com:5432/lake"
    assert listed["db"].startswith("postgres://127.0.0.1:")
    assert "geheim" not in out
    assert "geheim" not in typed(capsys, "connection", "list", "--project", project)[1]


@pytest.mark.parametrize(
    ("option", "value", "said", "hint"),
    [
        ("HOST", "no-such-host.invalid", "no-such-host.invalid", "see that `host` is spelt right"),
        ("PORT", "1", "Connection refused", "see that the server runs, and listens at this host and port"),
        ("USER", "nobody_here", 'role "nobody_here" does not exist', "see that the user is spelt right"),
        ("DATABASE", "no_such", 'database "no_such" does not exist', "see that the database is spelt right"),
        ("TLS", "require", "server does not support SSL", "turn TLS on at the server"),
        ("TLS", "verify-full", "server does not support SSL", "turn TLS on at the server"),
    ],
)
def test_each_wrong_part_is_told_apart(project, capsys, monkeypatch, option, value, said, hint):
    monkeypatch.setenv(f"HEADRACE_CONNECTION__DB__{option}", value)
    code, _, err = typed(capsys, "connection", "test", "db", "--project", project)
    assert code == 1
    assert said in err
    assert hint in err
    code, out, _ = typed(capsys, "connection", "test", "db", "--project", project, "--json")
    assert code == 1
    assert json.loads(out)["reached"] is False


def test_a_secret_that_is_not_there_is_named(project, capsys, monkeypatch):
    monkeypatch.delenv("DB_PASSWORD")
    code, _, err = typed(capsys, "connection", "test", "db", "--project", project)
    assert code == 1
    assert "set the environment variable DB_PASSWORD" in err


def test_a_name_that_is_not_there_is_bad_usage(project, capsys):
    code, _, err = typed(capsys, "connection", "test", "bd", "--project", project)
    assert code == 2
    assert "there is no connection `bd`" in err


PIPELINE = """version: 1
pipeline: p
sources:
  t:
    postgres: {connection: db, %s}
sinks:
  - postgres: {connection: db, table: copy}
"""


def test_a_pipeline_reads_and_writes_by_a_connection(project, postgres, capsys):
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO reader")
        admin.execute("INSERT INTO secrets VALUES (1), (2)")
        admin.execute("GRANT SELECT ON secrets TO reader")
    (project / "pipeline.yaml").write_text(PIPELINE % "table: secrets")
    assert typed(capsys, "run", project / "pipeline.yaml", "--quiet")[0] == 0
    with psycopg.connect(postgres) as looking:
        assert looking.execute("SELECT count(*), max(id) FROM copy").fetchone() == (2, 2)


@pytest.mark.parametrize(
    ("option", "said", "hint"),
    [
        ("table: secrets", "permission denied for table secrets", "grant the user the right"),
        ("table: secret", "postgres has no table `secret`", "did you mean `secrets`?"),
        ("query: select idd from secrets", 'column "idd" does not exist', "secrets.id"),
    ],
)
def test_rights_tables_and_columns_are_named(project, capsys, option, said, hint):
    (project / "pipeline.yaml").write_text(PIPELINE % option)
    code, _, err = typed(capsys, "run", project / "pipeline.yaml")
    assert code in (1, 2)
    assert said in err
    assert hint in err


def test_the_state_database_may_be_a_connection(project, postgres):
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO reader")
        admin.execute("GRANT ALL ON DATABASE " + urlsplit(postgres).path[1:] + " TO reader")
    (project / "orders.csv").write_text("id\n1\n")
    (project / "pipeline.yaml").write_text(
        "version: 1\npipeline: p\nsources:\n  t:\n    file: {path: orders.csv}\nsinks:\n  - file: {path: out/}\n"
    )
    for words in (["run", str(project / "pipeline.yaml"), "--quiet"], ["runs", "list", "--project", str(project), "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "headrace", *words], env={**os.environ, "HEADRACE_DATABASE_URL": "connection:db"},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert not (project / ".headrace" / "headrace.db").exists()
    assert len(json.loads(done.stdout)) == 1
