"""Files of web servers are read whole or not at all, whatever the server does, and nobody's credentials go astray."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from tests.integration.stores.lake import fetched
from tests.integration.stores.web import Page, Web

from headrace import bootstrap
from headrace.business.connections import Profile
from headrace.business.ports import FileScan
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.addresses import parse
from headrace.infrastructure.connectors.stores.http_client import HttpClient
from headrace.infrastructure.connectors.stores.http_connection import HttpConnection
from headrace.infrastructure.connectors.web.reach import Reach
from headrace.infrastructure.connectors.web.trail import led
from headrace.security.secrets import Secret, Vault

HUNTER = Secret("${secret:env/HUNTER}", Vault.of(Path(), {"HUNTER": "hunter2"}))

LONG = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(600_000))
SHORT = b"id,text\n1,a\n2,b\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web.running() as server:
        yield server


def scan(project: Path, *urls: str, timeout: float = 30, **options: Any) -> FileScan:
    connection = Profile("web", HttpConnection(timeout=timeout, **options), project)
    found = FileSource(path=urls, connection=connection, format="csv").scan(project)
    assert isinstance(found, FileScan)
    return found


@pytest.mark.parametrize(
    "how", [{}, {"weak": True}, {"tag": False}, {"ranges": False}, {"ranges": False, "length": False, "tag": False}], ids=str
)
@pytest.mark.parametrize("data", [LONG, SHORT], ids=["long", "short"])
def test_a_file_is_read_whatever_the_server_can(web: Web, tmp_path: Path, data: bytes, how: dict[str, Any]):
    web.pages["/t.csv"] = Page(data, **how)
    found = scan(tmp_path, f"{web.url}/t.csv")
    assert fetched(found) == [data]
    assert found.files[0].bytes == len(data)
    assert found.files[0].name == f"{web.url}/t.csv"
    if how.get("tag") is False:
        assert found.files[0].version == hashlib.sha256(data).hexdigest(), "without a tag its content tells its state"


def test_bodies_that_break_off_are_gone_on_with(web: Web, tmp_path: Path):
    web.pages["/t.csv"] = Page(LONG, cuts=[0, 1000, 0, 500])
    assert fetched(scan(tmp_path, f"{web.url}/t.csv")) == [LONG]
    ranges = [headers.get("Range") for _, headers in web.seen]
    assert None not in ranges, "only parts are asked for"


@pytest.mark.parametrize("how", [{"ranges": False}, {"ranges": False, "tag": False}], ids=str)
def test_a_length_that_is_wrong_is_not_believed(web: Web, tmp_path: Path, how: dict[str, Any], impatient: None):
    web.pages["/t.csv"] = Page(SHORT, says=len(SHORT) + 10, **how)
    with pytest.raises(RetryableError, match=r"t.csv` broke off"):
        scan(tmp_path, f"{web.url}/t.csv")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried again."""
    from headrace.infrastructure.connectors.stores import store
    from headrace.resilience.backoff import RetryPolicy

    monkeypatch.setattr(store.patiently, "__defaults__", (RetryPolicy(attempts=1),))


def test_a_server_that_is_busy_is_asked_again_no_sooner_than_it_says(web: Web, tmp_path: Path):
    web.pages["/t.csv"] = Page(SHORT, refusals=[(429, {"Retry-After": "1"}), (503, {}), (500, {})])
    begun = time.monotonic()
    assert fetched(scan(tmp_path, f"{web.url}/t.csv")) == [SHORT]
    assert time.monotonic() - begun >= 1


def test_who_asks_for_more_time_than_there_is_is_left_to_the_run(web: Web, tmp_path: Path):
    web.pages["/t.csv"] = Page(SHORT, refusals=[(429, {"Retry-After": "3600"})])
    with pytest.raises(RetryableError, match="answered 429") as caught:
        scan(tmp_path, f"{web.url}/t.csv")
    assert caught.value.retry_after == 3600


def test_a_file_that_changes_meanwhile_is_not_mixed(web: Web, tmp_path: Path):
    for how in ({}, {"weak": True}):
        web.pages["/t.csv"] = Page(LONG, **how)
        found = scan(tmp_path, f"{web.url}/t.csv")
        web.pages["/t.csv"] = Page(LONG.replace(b"some", b"more"), **how)
        with pytest.raises(RetryableError, match="was changed while it was being read"):
            fetched(found)


@pytest.mark.parametrize(
    ("page", "kind", "said"),
    [
        (None, NonRetryableError, "there is no file"),
        (Page(needs="Bearer x"), NonRetryableError, "the server does not know us"),
        (Page(refusals=[(403, {})]), NonRetryableError, "access is denied"),
        (Page(redirect="/t.csv"), NonRetryableError, "leads on and on"),
        (Page(redirect="file:///etc/passwd"), NonRetryableError, "leads to what is no address of http: not followed"),
    ],
)
def test_what_cannot_be_read_is_told(web: Web, tmp_path: Path, page: Page | None, kind: type[HeadraceError], said: str):
    if page is not None:
        web.pages["/t.csv"] = page
    with pytest.raises(kind, match=said) as caught:
        scan(tmp_path, f"{web.url}/t.csv?token=hunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint


def test_credentials_go_to_their_host_and_to_no_other(web: Web, tmp_path: Path):
    with Web.running() as other:
        web.pages["/t.csv"] = Page(redirect=f"{other.url}/u.csv")
        other.pages["/u.csv"] = Page(SHORT)
        assert fetched(scan(tmp_path, f"{web.url}/t.csv", base_url=web.url, auth={"bearer": HUNTER})) == [SHORT]
        assert all(headers["Authorization"] == "Bearer hunter2" for _, headers in web.seen)
        assert other.seen
        assert not any("Authorization" in headers for _, headers in other.seen)
        with pytest.raises(NonRetryableError, match="is not the server of this connection"):
            scan(tmp_path, f"{other.url}/u.csv", base_url=web.url, auth={"bearer": HUNTER})


def test_basic_authentication(web: Web, tmp_path: Path):
    web.pages["/t.csv"] = Page(SHORT, needs="Basic bWU6aHVudGVyMg==")
    assert fetched(
        scan(tmp_path, f"{web.url}/t.csv", base_url=web.url, auth={"basic": {"user": "me", "password": HUNTER}})
    ) == [SHORT]


@pytest.mark.parametrize(
    ("start", "where", "there"),
    [
        ("https://93.184.216.34/a", "b?c=1#d", "https://93.184.216.34/b?c=1"),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/b", "http://127.0.0.1:2/b"),
        ("http://a.example/", "https://a.example/", "https://a.example/"),
    ],
)
def test_redirects_lead_on(start: str, where: str, there: str):
    assert led(start, where, str) == there


@pytest.mark.parametrize(
    "where", ["http://93.184.216.34/b", "ftp://x/b", "file:///etc/passwd", "https://me:pw@x/", "https://x:0/"]
)
def test_redirects_lead_neither_off_encryption_nor_off_the_web(where: str):
    with pytest.raises(NonRetryableError, match="not followed"):
        led("https://93.184.216.34/a", where, str)


def test_nobody_outside_leads_us_inside(web: Web):
    """127.0.0.1 stands for a server of the internet here; `localhost`, wherever it is, for a machine inside."""
    web.pages["/a.csv"] = Page(redirect=f"{web.url.replace('127.0.0.1', 'localhost')}/b.csv")
    web.pages["/b.csv"] = Page(SHORT)
    levels = iter([0, 2])
    client = HttpClient(5.0, web.url, reach=Reach(urlsplit(web.url), near=lambda _: next(levels)))
    with (
        pytest.raises(NonRetryableError, match="leads to `localhost`, which is in this machine: not followed"),
        client.asking("GET", f"{web.url}/a.csv"),
    ):
        pass
    assert [path for path, _ in web.seen] == ["/a.csv"]


def test_credentials_that_left_their_host_do_not_come_back_to_it(web: Web, tmp_path: Path):
    with Web.running() as other:
        web.pages["/t.csv"] = Page(redirect=f"{other.url}/back")
        other.pages["/back"] = Page(redirect=f"{web.url}/u.csv")
        web.pages["/u.csv"] = Page(SHORT)
        assert fetched(scan(tmp_path, f"{web.url}/t.csv", base_url=web.url, auth={"bearer": HUNTER})) == [SHORT]
    assert {path: "Authorization" in headers for path, headers in web.seen} == {"/t.csv": True, "/u.csv": False}


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def test_certificates_are_verified(tmp_path: Path, authority: trustme.CA, impatient: None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Web.running(context) as web:
        web.pages["/t.csv"] = Page(SHORT)
        assert fetched(scan(tmp_path, f"{web.url}/t.csv", ca="ca.pem")) == [SHORT]
        with pytest.raises(NonRetryableError, match="its certificate cannot be trusted") as caught:
            scan(tmp_path, f"{web.url}/t.csv")
        assert "`ca`" in str(caught.value.hint)
        web.pages["/"] = Page(b"")
        answer = HttpConnection(base_url=web.url, ca="ca.pem").reach(tmp_path)
        assert answer.verified
        assert str(answer.tls).startswith("TLSv1.")


def test_what_signs_an_address_is_not_remembered():
    kept = parse("https://h/a.csv?id=7&X-Amz-Signature=abc&sig=x&access_token=t&page=2")
    assert str(kept) == "https://h/a.csv?id=7&page=2"
    assert kept.key.endswith("page=2")
    assert "abc" in kept.key


def test_a_pipeline_reads_from_the_web(web: Web, tmp_path: Path):
    web.pages["/in/t.csv"] = Page(LONG)
    (tmp_path / "pipeline.yaml").write_text(
        f"version: 1\npipeline: p\nsources: {{t: {{file: '{web.url}/in/t.csv', incremental: {{by: file}}}}}}\n"
        "sinks: [{file: {path: out/, mode: append}}]\n"
    )
    assert bootstrap.run(bootstrap.load(tmp_path / "pipeline.yaml")).state == "succeeded"
    asked = len(web.seen)
    bootstrap.run(bootstrap.load(tmp_path / "pipeline.yaml"))
    assert len(web.seen) <= asked + 3, "its tag says that it is the same: only its start is looked at"


def test_a_server_that_is_silent_is_not_waited_for_for_ever(tmp_path: Path, impatient: None):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(RetryableError, match="did not answer in time"):
        scan(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/t.csv", timeout=1)
