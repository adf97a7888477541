"""A webhook gets the document once, at the place that the definition names; what goes wrong is told without what is secret."""

from __future__ import annotations

import ssl
import traceback

import pytest
from tests.integration.notifying.conftest import CANARY, MESSAGE, Tells
from tests.integration.notifying.servers import cut, hook, rude_server, say_nothing, trickle

from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.notifying.webhook import WebhookNotifier
from headrace.security.secrets import Secret, Vault


def test_a_webhook_gets_the_document_and_the_headers(tells: Tells, vault: Vault) -> None:
    with hook() as server:
        url = Secret(server.url + "/in/${secret:env/CANARY}?a=b", vault)
        token = Secret("Bearer ${secret:env/CANARY}", vault)
        WebhookNotifier().send(*tells(webhook={"url": url, "headers": {"Authorization": token}}), MESSAGE)
    assert server.bodies == [{"version": 1, "id": "db-1", **MESSAGE.facts}]
    assert server.paths == [f"/in/{CANARY}?a=b"]
    assert server.headers[0]["Content-Type"] == "application/json"
    assert server.headers[0]["Authorization"] == f"Bearer {CANARY}"
    assert server.headers[0]["Idempotency-Key"] == "db-1"


def test_a_header_of_the_definition_takes_the_place_of_ours(tells: Tells) -> None:
    with hook() as server:
        WebhookNotifier().send(*tells(webhook={"url": server.url, "headers": {"content-type": "application/x"}}), MESSAGE)
    assert [value for name, value in server.headers[0].items() if name.lower() == "content-type"] == ["application/x"]


@pytest.mark.usefixtures("trusting")
def test_a_webhook_is_told_over_tls(tells: Tells, certified: ssl.SSLContext) -> None:
    with hook(certified) as server:
        WebhookNotifier().send(*tells(webhook=server.url), MESSAGE)
    assert len(server.bodies) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tells: Tells, certified: ssl.SSLContext) -> None:
    with hook(certified) as server:
        error = refused(*tells(webhook=server.url + f"/{CANARY}"))
    assert isinstance(error, NonRetryableError)
    assert "certificate cannot be trusted" in str(error)
    assert server.bodies == []


@pytest.mark.parametrize(
    ("status", "headers", "retryable", "after"),
    [
        (500, {}, True, None),
        (503, {"Retry-After": "7"}, True, 7.0),
        (429, {"Retry-After": "120"}, True, 120.0),
        (429, {"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}, True, 0.0),
        (429, {"Retry-After": "soon"}, True, None),
        (408, {}, True, None),
        (404, {}, False, None),
        (401, {}, False, None),
    ],
)
def test_what_a_server_answers_decides_whether_it_is_told_again(
    tells: Tells, status: int, headers: dict[str, str], retryable: bool, after: float | None
) -> None:
    with hook() as server:
        server.answers = [(status, headers)]
        error = refused(*tells(webhook=f"{server.url}/{CANARY}"))
    assert isinstance(error, RetryableError) is retryable
    assert getattr(error, "retry_after", None) == after
    assert str(status) in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(tells: Tells, status: int) -> None:
    with hook() as elsewhere, hook() as server:
        server.answers = [(status, {"Location": elsewhere.url})]
        error = refused(*tells(webhook={"url": f"{server.url}/{CANARY}", "headers": {"Authorization": CANARY}}))
    assert isinstance(error, NonRetryableError)
    assert elsewhere.bodies == []


@pytest.mark.parametrize("behave", [say_nothing, trickle, cut])
def test_a_server_that_hangs_or_breaks_off_is_told_again_later(tells: Tells, behave: object) -> None:
    with rude_server(behave) as port:  # type: ignore[arg-type]
        error = refused(*tells(webhook=f"http://127.0.0.1:{port}/{CANARY}"), seconds=0.3)
    assert isinstance(error, RetryableError)


def test_a_server_that_is_not_there_is_told_again_later(tells: Tells) -> None:
    with rude_server(cut) as port:
        pass
    error = refused(*tells(webhook=f"http://127.0.0.1:{port}/{CANARY}"))
    assert isinstance(error, RetryableError)
    assert "refused the connection" in error.message


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://example.com/{CANARY}",
        f"file:///{CANARY}",
        f"{CANARY}",
        f"http:///{CANARY}",
        f"http://example.com:port/{CANARY}",
        f"http://[{CANARY}/",
        f"http://example.com/{CANARY}\r\nX: y",
        f"http://example.com/a b{CANARY}",
        f"http://user:{CANARY}@example.com/",
        f"http://a..{CANARY}/",
        "",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(tells: Tells, url: str) -> None:
    error = refused(*tells(webhook=url))
    assert isinstance(error, NonRetryableError)


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX: y", f"{CANARY}é", f"{CANARY}\0"])
def test_a_header_that_cannot_be_sent_is_named_and_not_shown(tells: Tells, value: str) -> None:
    error = refused(*tells(webhook={"url": "http://127.0.0.1:9/", "headers": {"X-Token": value}}))
    assert isinstance(error, NonRetryableError)
    assert "X-Token" in error.message


def test_a_secret_that_is_not_there_is_named(tells: Tells, vault: Vault) -> None:
    error = refused(*tells(webhook=Secret("${secret:env/NOWHERE}", vault)))
    assert "NOWHERE" in str(error)


def refused(*telling: object, seconds: float = 15.0) -> HeadraceError:
    """The error, which does not hold the canary anywhere, causes included."""
    with pytest.raises(HeadraceError) as raised:
        WebhookNotifier(seconds).send(*telling, MESSAGE)  # type: ignore[arg-type]
    shown = "".join(traceback.format_exception(raised.value)).partition("During handling")[0]
    assert CANARY not in str(raised.value) + repr(raised.value) + "".join(map(repr, telling))
    assert CANARY not in "".join(line for line in shown.splitlines() if "CANARY" not in line)
    return raised.value
