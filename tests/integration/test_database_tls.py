"""TLS to a real PostgreSQL that has it: verified where that is asked for, and refused where the server is not who it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.integration.postgres_server import PostgresServer, programs_with_tls

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.postgres_connection import PostgresConnection
from headrace.infrastructure.connectors.postgres_source import PostgresSource


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[PostgresServer]:
    """A server whose certificate is for `localhost` alone, and that lets nobody in who does not encrypt."""
    issued = authority.issue_cert("localhost")
    server = PostgresServer(programs=programs_with_tls())
    cert = server.own_file("server.pem", issued.cert_chain_pems[0].bytes())
    key = server.own_file("server.key", issued.private_key_pem.bytes())
    hba = server.own_file("hba.conf", b"hostssl all all 127.0.0.1/32 trust\n")
    server.settings = {"ssl": "on", "ssl_cert_file": str(cert), "ssl_key_file": str(key), "hba_file": str(hba)}
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def home(tmp_path: Path, authority: trustme.CA) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    return tmp_path


def to(server: PostgresServer, host: str = "localhost", **options: str) -> PostgresConnection:
    return PostgresConnection(host=host, port=server.port, user="postgres", database="postgres", **options)  # type: ignore[arg-type]


def test_with_the_right_ca_it_is_encrypted_and_verified(server, home):
    answer = to(server, ca="ca.pem").reach(home)
    assert answer.tls is not None
    assert answer.tls.startswith("TLSv1.")
    assert answer.verified


@pytest.mark.parametrize("tls", ["prefer", "require"])
def test_encrypted_is_not_verified(server, home, tls):
    answer = to(server, tls=tls).reach(home)
    assert answer.tls is not None
    assert not answer.verified


def test_a_name_that_is_not_the_certificates_is_refused_unless_only_the_ca_counts(server, home):
    with pytest.raises(NonRetryableError, match="does not match host name") as caught:
        to(server, "127.0.0.1", ca="ca.pem").reach(home)
    assert "name the host as its certificate does" in str(caught.value)
    assert to(server, "127.0.0.1", ca="ca.pem", tls="verify-ca").reach(home).verified


def test_a_ca_that_does_not_vouch_for_the_server_is_refused(server, home):
    with pytest.raises(NonRetryableError, match="certificate verify failed") as caught:
        to(server, ca="other.pem").reach(home)
    assert "give in `ca` the certificate of whoever vouches" in str(caught.value)


def test_verified_without_a_ca_goes_by_what_the_system_trusts(server, home):
    with pytest.raises(NonRetryableError, match="certificate verify failed"):
        to(server, tls="verify-full").reach(home)


def test_who_does_not_encrypt_is_told_to(server, home):
    with pytest.raises(NonRetryableError, match=r"no pg_hba\.conf entry") as caught:
        to(server, tls="off").reach(home)
    assert "`tls: require`" in str(caught.value)


def test_a_ca_that_is_no_file_is_named_before_anything_is_sent(server, home):
    with pytest.raises(NonRetryableError, match="the file for `ca` cannot be read"):
        to(server, ca="missing.pem").reach(home)


def test_rows_come_over_the_same_verified_way(server, home):
    """The rows are read by another driver than the one that plans."""
    good, bad = Profile("db", to(server, ca="ca.pem"), home), Profile("db", to(server, ca="other.pem"), home)
    source = PostgresSource(connection=good, query="SELECT 1 AS id, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert [row for batch in source.read(home, "all", None) for row in batch.rows.to_pylist()] == [{"id": 1, "ssl": True}]
    with pytest.raises(NonRetryableError, match="certificate verify failed"):
        PostgresSource(connection=bad, table="t").scan(home)
