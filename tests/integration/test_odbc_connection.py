"""The connection `odbc` through real drivers: who is there, and what is said when one thing is wrong. Secrets stay where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
import trustme
from tests.integration.mysql_server import MySQLServer
from tests.integration.odbc_databases import MARIADB, POSTGRES, Database, connection, database, rows
from tests.integration.postgres_server import PostgresServer, programs_with_tls
from tests.integration.test_connections import typed

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.odbc import drivers
from headrace.infrastructure.connectors.odbc.connection import OdbcConnection
from headrace.infrastructure.connectors.odbc.source import OdbcSource
from headrace.security.secrets import Secret

#: Everything in it that means something in a connection string.
PASSWORD = "ge;h{e}im}= 'ö"


@pytest.fixture(params=["postgres", "mysql"])
def either(request: pytest.FixtureRequest) -> Database:
    return database(request.param, request)


@pytest.fixture(scope="module")
def strict() -> Iterator[PostgresServer]:
    """A server of PostgreSQL that asks everyone for a password."""
    written = PASSWORD.replace("'", "''")
    with PostgresServer.running() as server, psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE reader LOGIN PASSWORD '{written}'")  # type: ignore[call-overload]
        hba = server.folder / "data" / "pg_hba.conf"
        hba.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        admin.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def project(either: Database, tmp_path: Path) -> Path:
    (tmp_path / "headrace.toml").write_text(either.profile())
    return tmp_path


PIPELINE = """version: 1
pipeline: p
sources:
  t:
    odbc: {connection: db, %s}
sinks:
  - file: {path: out/, format: parquet}
"""


def test_a_connection_is_tried_and_says_who_is_there(project, either, capsys):
    code, out, _ = typed(capsys, "connection", "test", "db", "--project", project, "--json")
    found = json.loads(out)
    assert code == 0
    name, user, driver = {
        "postgres": ("PostgreSQL 1", "postgres", "psqlodbcw.so"),
        "mysql": ("MariaDB 1", "root", "libmaodbc.so"),
    }[either.kind]
    assert found["server"].startswith(name)
    assert (found["user"], found["tls"], found["notes"]) == (user, None, [f"through {driver}"])
    assert found["round_trip_ms"] > 0
    assert typed(capsys, "connection", "test", "db", "--project", project)[0] == 0


def test_a_pipeline_reads_by_a_connection(project, either, capsys):
    either.do("CREATE TABLE orders (id int, amount decimal(38, 4), at timestamp NULL)")
    either.do("INSERT INTO orders VALUES (1, 12345678901234567890.0001, '2024-01-01 10:00:00'), (2, -1, NULL)")
    (project / "pipeline.yaml").write_text(PIPELINE % "table: orders")
    code, _, err = typed(capsys, "run", project / "pipeline.yaml", "--quiet")
    assert (code, err) == (0, "")
    found = duckdb.connect().execute(f"SELECT id, amount::text FROM '{project}/out/**/*.parquet' ORDER BY id").fetchall()
    assert found == [(1, "12345678901234567890.0001"), (2, "-1.0000")]


@pytest.mark.parametrize(
    ("option", "said", "hint"),
    [
        ("table: order", "odbc has no table `order`", "did you mean `orders`?"),
        ("query: SELECT idd FROM orders", "idd", "see that the column"),
    ],
)
def test_a_run_says_which_table_or_column_is_wrong(project, either, capsys, option, said, hint):
    either.do("CREATE TABLE orders (id int)")
    (project / "pipeline.yaml").write_text(PIPELINE % option)
    code, _, err = typed(capsys, "run", project / "pipeline.yaml")
    assert code in (1, 2)
    assert said in err
    assert hint in err
    assert "Traceback" not in err


def refused(way: OdbcConnection) -> RunError:
    with pytest.raises(RunError) as caught:
        way.reach(Path())
    return caught.value


PARTS = [
    (
        "Server",
        "no-such-host.invalid",
        RetryableError,
        "no-such-host.invalid",
        "see that the host is spelt right and known here",
    ),
    ("Port", "1", RetryableError, "onnect", "see that the server runs, and listens at this host and port"),
    ("Database", "no_such", NonRetryableError, "no_such", "see that the database is spelt right, or create it"),
]


@pytest.mark.parametrize(("setting", "value", "kind", "said", "hint"), PARTS)
def test_each_wrong_part_is_told_apart(either, setting, value, kind, said, hint):
    way = either.way
    error = refused(way.model_copy(update={"settings": {**way.settings, setting: Secret(value)}}))
    assert isinstance(error, kind)
    assert said in error.message
    assert error.hint == hint


def test_a_wrong_password_is_told_and_not_shown(strict, mysql_server, monkeypatch):
    mysql_server.ask("CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'geheim'")
    monkeypatch.setenv("DB_PASSWORD", "falsch-geraten")
    for driver, port, base in ((POSTGRES, strict.port, "postgres"), (MARIADB, mysql_server.port, "")):
        error = refused(connection(driver, port, base, "reader", password=Secret("${secret:env/DB_PASSWORD}")))
        assert isinstance(error, NonRetryableError)
        assert error.hint == "see that user and password are right, and that the user may come from this host"
        assert "falsch-geraten" not in f"{error.message} {error.hint}"
        assert isinstance(refused(connection(driver, port, base, "nobody_here", password=Secret("x"))), NonRetryableError)


def test_any_password_gets_there_whole(strict, mysql_server, monkeypatch):
    mysql_server.ask(
        "CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY %s" % ("'" + PASSWORD.replace("'", "''") + "'"),
        charset="utf8mb4",
    )
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    for driver, port, base in ((POSTGRES, strict.port, "postgres"), (MARIADB, mysql_server.port, "")):
        way = connection(driver, port, base, "reader", password=Secret("${secret:env/DB_PASSWORD}"))
        assert str(way.reach(Path()).user).startswith("reader")
        assert rows(OdbcSource(connection=Profile("db", way), query="SELECT 'é 🦆' AS v")) == [("é 🦆",)]
        assert PASSWORD not in f"{way.shown()} {way!r} {way.model_dump_json()}"


def test_a_secret_that_is_not_there_is_named(either):
    way = either.way.model_copy(update={"password": Secret("${secret:env/NO_SUCH_PASSWORD}")})
    assert refused(way).hint == "set the environment variable NO_SUCH_PASSWORD"
    assert way.shown() == f"odbc://{way.driver}"


def test_a_driver_that_is_not_there_is_told_with_those_that_are(either):
    error = refused(either.way.model_copy(update={"driver": "PostgreSQL Unicod"}))
    assert isinstance(error, NonRetryableError)
    assert "did you mean `PostgreSQL Unicode`?" in str(error.hint)
    assert "MariaDB Unicode" in str(error.hint)
    gone = refused(either.way.model_copy(update={"driver": "/no/such/driver.so"}))
    assert "/no/such/driver.so" in gone.message
    assert "install it, or name one that is here: " in str(gone.hint)
    assert "odbc.ini" in str(refused(OdbcConnection(dsn="no_such")).hint)


def test_a_driver_manager_that_is_not_there_is_told(either, monkeypatch):
    drivers.library.cache_clear()
    monkeypatch.setattr(drivers, "_LIBRARY", "libno_such_odbc.so.2")
    error = refused(either.way)
    assert error.message == "ODBC needs its driver manager, libno_such_odbc.so.2, which is not here"
    assert "install unixODBC" in str(error.hint)


def test_a_whole_connection_string_does_as_well(either, monkeypatch):
    monkeypatch.setenv("DB_STRING", either.way.address())
    way = OdbcConnection(string=Secret("${secret:env/DB_STRING}"))
    assert way.reach(Path()).user == either.way.user
    assert way.shown() == either.way.shown()
    assert way.system == either.way.system
    monkeypatch.setenv("DB_STRING", either.way.address() + "PWD={geheim};")
    assert way.shown() == either.way.shown()
    assert way.veil("it says geheim and PWD={other};") == "it says *** and PWD=***;"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give one of `driver`, `dsn` and `string`"),
        ({"driver": "a", "dsn": "b"}, "not driver and dsn"),
        ({"driver": "a", "settings": {"PWD": "x"}}, "`PWD` is not among the settings"),
        ({"driver": "a", "settings": {"a;b": "x"}}, "cannot be a keyword of a connection string"),
    ],
)
def test_what_a_profile_cannot_say(options, said):
    with pytest.raises(ValueError, match=said):
        OdbcConnection(**options)


def test_a_right_that_is_missing_is_told(mysql_server: MySQLServer, mysql: str, capsys, tmp_path):
    there = mysql.rpartition("/")[2]
    mysql_server.ask("CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'geheim'")
    mysql_server.ask("CREATE TABLE open (id int)", database=there)
    mysql_server.ask("CREATE TABLE closed (id int)", database=there)
    mysql_server.ask(f"GRANT SELECT ON {there}.open TO reader@'127.0.0.1'")
    (tmp_path / "headrace.toml").write_text(
        f'[connections.db]\nkind = "odbc"\ndriver = "{MARIADB}"\nuser = "reader"\npassword = "geheim"\n'
        f'settings = {{Server = "127.0.0.1", Port = {mysql_server.port}, Database = "{there}"}}\n'
    )
    (tmp_path / "pipeline.yaml").write_text(PIPELINE % "table: closed")
    code, _, err = typed(capsys, "run", tmp_path / "pipeline.yaml")
    assert code in (1, 2)
    assert "command denied" in err
    assert "grant the user the right" in err
    assert "geheim" not in err


# Encryption is the driver's, by its own keywords -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module", params=["postgres", "mysql"])
def encrypted(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[OdbcConnection]:
    """The way to a server whose certificate is for `localhost`, and that lets nobody in who does not encrypt."""
    issued = authority.issue_cert("localhost")
    server = PostgresServer(programs=programs_with_tls()) if request.param == "postgres" else MySQLServer()
    cert = server.own_file("server.pem", issued.cert_chain_pems[0].bytes())
    key = server.own_file("server.key", issued.private_key_pem.bytes())
    try:
        if isinstance(server, PostgresServer):
            hba = server.own_file("hba.conf", b"hostssl all all 127.0.0.1/32 trust\n")
            server.settings = {"ssl": "on", "ssl_cert_file": str(cert), "ssl_key_file": str(key), "hba_file": str(hba)}
            yield connection(POSTGRES, server.start().port, "postgres", "postgres")
        else:
            server.options = (f"--ssl-cert={cert}", f"--ssl-key={key}", "--require-secure-transport=ON")
            yield connection(MARIADB, server.start().port, "mysql", "root")
    finally:
        server.remove()


def test_what_the_settings_say_of_certificates_counts(encrypted, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    postgres = encrypted.driver == POSTGRES

    def to(file: str) -> OdbcConnection:
        ca = str(tmp_path / file)
        told = (
            {"SSLmode": "verify-ca", "pqopt": f"sslrootcert={ca}"}
            if postgres
            else {"SSLCA": ca, "SSLVERIFY": "0", "FORCETLS": "1"}
        )
        settings = {**encrypted.settings, **{key: Secret(value) for key, value in told.items()}}
        return encrypted.model_copy(update={"settings": settings})

    answer = to("ca.pem").reach(tmp_path)
    assert str(answer.tls).startswith("TLSv1.")
    assert not answer.verified  # no driver tells
    if postgres:
        error = refused(to("other.pem"))
        assert (type(error), error.hint) == (NonRetryableError, "see what the settings of the driver say of certificates")
