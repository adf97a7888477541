"""`headrace connection test`, `headrace plan` and what sources and sinks say where Snowflake cannot be reached, refuses, or lacks something."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.integration.snowflake.projects import project_at
from tests.integration.snowflake_server import SnowflakeServer

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.snowflake_connection import SnowflakeConnection
from headrace.infrastructure.snowflake.account import Account
from headrace.security.secrets import Secret


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "geheim")


def test_it_says_who_is_there(tmp_path: Path, snowflake_server: SnowflakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    project = project_at(tmp_path, snowflake_server, snowflake_server.new_database())
    assert project.cli("connection", "test", "warehouse", "--project", str(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reached"]
    assert found["server"].startswith("Snowflake ")
    assert (found["tls"], found["verified"]) == (None, False)
    assert "no warehouse is named" in " ".join(found["notes"])


def test_a_database_that_is_not_there(
    tmp_path: Path, snowflake_server: SnowflakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_at(tmp_path, snowflake_server, "missing")
    assert project.cli("connection", "test", "warehouse", "--project", str(tmp_path)) == 1
    said = capsys.readouterr()
    assert "there is no database `missing`" in said.out + said.err
    assert "geheim" not in said.out + said.err


def test_a_host_where_nobody_listens(
    tmp_path: Path, snowflake_server: SnowflakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and never listening
        project = project_at(tmp_path, snowflake_server, "any", port=held.getsockname()[1], connect_seconds=1)
        assert project.cli("connection", "test", "warehouse", "--project", str(tmp_path)) == 1
    said = capsys.readouterr()
    assert "cannot be reached" in said.out + said.err
    assert "geheim" not in said.out + said.err


class Refusing(BaseHTTPRequestHandler):
    """Answers every login as Snowflake does that does not let somebody in."""

    answers: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"data": {"nextAction": "RETRY_LOGIN"}, "success": False, "headers": None, **self.answers}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Not on the screen."""


@pytest.fixture
def refusing() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("390100", "Incorrect username or password was specified.", "the user or the password is wrong"),
        ("390144", "JWT token is invalid.", "the key is not that of the user"),
        ("390189", "Role 'ETL' specified in the connect string is not granted to this user.", "the role is not granted"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    refusing: int, monkeypatch: pytest.MonkeyPatch, code: str, message: str, said: str
) -> None:
    monkeypatch.setattr(Refusing, "answers", {"code": code, "message": message})
    account = Account(
        "tests", "etl", "db", password=Secret("geheim"), host="127.0.0.1", port=refusing, protocol="http", connect_seconds=5
    )
    with pytest.raises(NonRetryableError, match=said) as refused:
        account.connect()
    assert "geheim" not in f"{refused.value!r} {refused.value} {refused.value.__cause__}"


def test_a_private_key_that_cannot_be_used(tmp_path: Path) -> None:
    account = Account(
        "tests", "etl", "db", private_key=tmp_path / "key.p8", host="127.0.0.1", port=1, protocol="http", connect_seconds=1
    )
    with pytest.raises(NonRetryableError, match="the private key cannot be read"):
        account.connect()
    (tmp_path / "key.p8").write_text("nonsense")
    with pytest.raises(NonRetryableError, match="the private key cannot be used"):
        account.connect()


def test_a_profile_that_is_wrong_says_what(tmp_path: Path) -> None:
    given = {"account": "a", "user": "u", "database": "d"}
    for more, why in (
        ({}, "give either `password` or `private_key`"),
        ({"password": "x", "private_key": "k"}, "not both"),
        ({"password": "x", "passphrase": "y"}, "`passphrase` is that of a `private_key`"),
        ({"password": "x", "protocol": "http"}, "name its `host`"),
    ):
        with pytest.raises(ValueError, match=why):
            SnowflakeConnection.model_validate({**given, **more})
    made = SnowflakeConnection.model_validate({**given, "password": "geheim", "schema": "mart"})
    assert made.shown() == "snowflake://a/d"
    assert "geheim" not in repr(made)


def test_the_plan_needs_no_connection(
    tmp_path: Path, snowflake_server: SnowflakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens at the port, and the SQL is shown all the same."""
    project = project_at(tmp_path, snowflake_server, "any", port=1)
    (tmp_path / "rows.csv").write_text("x\n1\n2\n")
    sinks = [{"snowflake": {"connection": "warehouse", "table": "kept"}}]
    project.define(sources={"rows": {"file": {"path": "rows.csv"}}}, steps=[{"filter": "x > 1"}], sinks=sinks)
    assert project.cli("plan", str(project.file), "--engine", "snowflake", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    sql = "\n".join(s["sql"] for s in shown["statements"])
    assert "COPY INTO" in sql
    assert "CREATE TRANSIENT TABLE" in sql
    assert "TRY_CAST" in sql
    project.define(sources={"rows": {"file": {"path": "rows.csv"}}}, steps=[{"derive": {"pair": "[x, 1]"}}], sinks=sinks)
    assert project.cli("plan", str(project.file), "--engine", "snowflake") == 2
    assert "Snowflake's arrays hold values without a type of ours" in capsys.readouterr().err


def test_an_engine_that_is_told_of_no_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("x\n1\n")
    (tmp_path / "p.yaml").write_text(
        "version: 1\npipeline: p\nengine: snowflake\nsources: {rows: {file: {path: rows.csv}}}\nsinks: [{file: {path: out/}}]\n"
    )
    from tests.integration.runs.project import Project

    project = Project(tmp_path)
    assert project.cli("plan", str(tmp_path / "p.yaml")) == 2
    assert "[engines.snowflake]" in capsys.readouterr().err
    for settings, why in (
        ("[engines.snowflake]\nconnection = 'nowhere'\n", "there is no connection `nowhere`"),
        ("[engines.snowflake]\nschema = 'x'\n", "`connection` of the engine snowflake must be"),
        ("[engines.snowflake]\nconnection = 'a'\nshcema = 'x'\n", "did you mean `schema`?"),
        ("[engines.snowflake]\nconnection = 'pg'\n[connections.pg]\nkind = 'postgres'\nhost = 'h'\n", "of kind `postgres`"),
    ):
        (tmp_path / "headrace.toml").write_text(settings)
        assert project.cli("plan", str(tmp_path / "p.yaml")) == 2
        assert why in capsys.readouterr().err


def test_a_cut_connection_is_worth_another_try(snowflake_server: SnowflakeServer) -> None:
    from snowflake.connector import errors

    from headrace.infrastructure.snowflake.faults import explained

    lost = errors.OperationalError(msg="Failed to connect", errno=250003, sqlstate="08001")
    assert isinstance(explained("x", lost), RetryableError)
    assert isinstance(
        explained("x", errors.ProgrammingError(msg="SQL compilation error", errno=1003, sqlstate="42000")), NonRetryableError
    )
    waited = errors.ProgrammingError(msg="Statement aborted", errno=625, sqlstate="57014")
    assert isinstance(explained("x", waited), RetryableError)
