"""The connection `mysql` against real MariaDB servers, with TLS and without: what it says when one thing is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from tests.integration.mysql_server import MySQLServer
from tests.integration.test_connections import typed

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.mysql_connection import MySQLConnection
from headrace.infrastructure.connectors.mysql_source import MySQLSource


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(authority: trustme.CA) -> Iterator[MySQLServer]:
    """A server whose certificate is for `localhost` alone, and that lets nobody in over the network who does not encrypt."""
    issued = authority.issue_cert("localhost")
    server = MySQLServer()
    cert = server.own_file("server.pem", issued.cert_chain_pems[0].bytes())
    key = server.own_file("server.key", issued.private_key_pem.bytes())
    server.options = (f"--ssl-cert={cert}", f"--ssl-key={key}", "--require-secure-transport=ON")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def home(tmp_path: Path, authority: trustme.CA) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    return tmp_path


def to(server: MySQLServer, host: str = "localhost", **options: str) -> MySQLConnection:
    return MySQLConnection(host=host, port=server.port, user="root", database="mysql", **options)  # type: ignore[arg-type]


def test_with_the_right_ca_it_is_encrypted_and_verified(encrypted, home):
    answer = to(encrypted, ca="ca.pem").reach(home)
    assert answer.server.startswith("MariaDB 1")
    assert str(answer.tls).startswith("TLSv1.")
    assert answer.verified
    assert answer.rights["create"]


@pytest.mark.parametrize("tls", ["prefer", "require"])
def test_encrypted_is_not_verified(encrypted, home, tls):
    answer = to(encrypted, tls=tls).reach(home)
    assert answer.tls is not None
    assert not answer.verified


def test_a_name_that_is_not_the_certificates_is_refused_unless_only_the_ca_counts(encrypted, home):
    with pytest.raises(NonRetryableError, match="IP address mismatch") as caught:
        to(encrypted, "127.0.0.1", ca="ca.pem").reach(home)
    assert "name the host as its certificate does" in str(caught.value)
    assert to(encrypted, "127.0.0.1", ca="ca.pem", tls="verify-ca").reach(home).verified


@pytest.mark.parametrize("options", [{"ca": "other.pem"}, {"tls": "verify-full"}])
def test_who_nobody_vouches_for_is_refused(encrypted, home, options):
    with pytest.raises(NonRetryableError, match="certificate verify failed") as caught:
        to(encrypted, **options).reach(home)
    assert "give in `ca` the certificate of whoever vouches" in str(caught.value)


def test_who_does_not_encrypt_is_told_to(encrypted, home):
    with pytest.raises(NonRetryableError, match=r"insecure transport|Access denied") as caught:
        to(encrypted, tls="off").reach(home)
    assert "wants TLS" in str(caught.value)


def test_a_server_without_tls_is_refused_where_it_is_demanded(mysql_server, home):
    for options in ({"tls": "require"}, {"ca": "ca.pem"}):
        with pytest.raises(NonRetryableError) as caught:
            to(mysql_server, **options).reach(home)
        assert "turn TLS on at the server" in str(caught.value)
    assert to(mysql_server).reach(home).tls is None


def test_files_that_are_no_certificates_are_named(mysql_server, home):
    (home / "broken.pem").write_text("nothing of the kind")
    with pytest.raises(NonRetryableError, match="the certificates cannot be used"):
        to(mysql_server, ca="broken.pem").reach(home)


def test_rows_come_over_the_verified_way(encrypted, home):
    source = MySQLSource(connection=Profile("db", to(encrypted, ca="ca.pem"), home), query="SELECT 1 AS id")
    assert [row for batch in source.read(home, "all", None) for row in batch.rows.to_pylist()] == [{"id": 1}]


@pytest.fixture
def project(tmp_path: Path, mysql: str, mysql_server: MySQLServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    at = urlsplit(mysql)
    mysql_server.ask("CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'geheim'")
    mysql_server.ask("CREATE TABLE orders (id int)", database=at.path[1:])
    mysql_server.ask("CREATE TABLE secrets (id int)", database=at.path[1:])
    mysql_server.ask(f"GRANT SELECT ON {at.path[1:]}.orders TO reader@'127.0.0.1'")
    monkeypatch.setenv("DB_PASSWORD", "geheim")
    (tmp_path / "headrace.toml").write_text(
        f'[connections.db]\nkind = "mysql"\nhost = "127.0.0.1"\nport = {at.port}\nuser = "reader"\n'
        f'password = "${{secret:env/DB_PASSWORD}}"\ndatabase = "{at.path[1:]}"\n'
    )
    return tmp_path


def test_a_connection_is_tried_and_says_who_is_there(project, capsys):
    code, out, _ = typed(capsys, "connection", "test", "db", "--project", project, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["reached"], found["user"], found["tls"]) == (True, "reader@127.0.0.1", None)
    assert found["server"].startswith("MariaDB 1")
    assert not found["rights"]["create"]


@pytest.mark.parametrize(
    ("option", "value", "said", "hint"),
    [
        ("HOST", "no-such-host.invalid", "no-such-host.invalid", "see that `host` is spelt right"),
        ("PORT", "1", "Connection refused", "see that the server runs, and listens at this host and port"),
        ("USER", "nobody_here", "Access denied for user 'nobody_here'", "see that user and password are right"),
        ("PASSWORD", "wrong-word", "Access denied for user 'reader'", "see that user and password are right"),
        ("DATABASE", "no_such", "Access denied for user 'reader'", "grant the user the right to this database"),
        ("TLS", "require", "SSL", "turn TLS on at the server"),
    ],
)
def test_each_wrong_part_is_told_apart(project, capsys, monkeypatch, option, value, said, hint):
    monkeypatch.setenv(f"HEADRACE_CONNECTION__DB__{option}", value)
    code, out, err = typed(capsys, "connection", "test", "db", "--project", project)
    assert code == 1
    assert said in err
    assert hint in err
    assert "wrong-word" not in out + err


PIPELINE = "version: 1\npipeline: p\nsources:\n  t:\n    mysql: {connection: db, %s}\nsinks:\n  - file: {path: out/}\n"


@pytest.mark.parametrize(
    ("option", "said", "hint"),
    [
        ("query: select * from secrets", "command denied to user 'reader'", "grant the user the right"),
        ("table: order", "mysql has no table `order`", "did you mean `orders`?"),
        ("query: select idd from orders", "Unknown column 'idd'", "see that the column is named as it is there"),
    ],
)
def test_rights_tables_and_columns_are_named(project, capsys, option, said, hint):
    (project / "pipeline.yaml").write_text(PIPELINE % option)
    code, _, err = typed(capsys, "run", project / "pipeline.yaml")
    assert code in (1, 2)
    assert said in err
    assert hint in err


def test_an_address_that_is_none_is_refused_without_being_shown(tmp_path):
    for url in ("postgresql://u:geheim@h/d", "mysql://u:geheim@h:port/d", "mysql://u:geheim@h/d?x=1"):
        with pytest.raises(NonRetryableError, match="is not the address of a MySQL or MariaDB database") as caught:
            MySQLConnection.model_validate({"url": url}).reach(tmp_path)
        assert "geheim" not in str(caught.value)
