"""Credentials of the source `http`: they reach the server that the definition names, no other, and nobody's eyes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from tests.integration.rest_server import Asked, Reply, RestServer
from tests.integration.sources.test_http import QUICK, ROWS, fetched

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.http_source import HttpSource
from headrace.infrastructure.connectors.rest.client import Client
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.infrastructure.connectors.web.reach import Reach, nearness
from headrace.security.secrets import Secret, Vault

CANARY = "c4nary-53cret"


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().running() as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    return Secret("${secret:env/TOKEN}", Vault.of(tmp_path, {"TOKEN": CANARY}))


def source(server: RestServer, path: str = "/items", **options: Any) -> HttpSource:
    return HttpSource.model_validate({"url": server.url(path), "columns": ["id", "name"], **options})


def test_each_way_of_saying_who_we_are_says_so(server, secret, tmp_path):
    server.serve("/items", Reply(ROWS))
    ways: list[dict[str, Any]] = [
        {"bearer": secret},
        {"basic": {"user": "ann", "password": secret}},
        {"api_key": {"header": "X-Api-Key", "value": secret}},
        {"api_key": {"query": "api_key", "value": secret}},
    ]
    for way in ways:
        assert fetched(source(server, auth=way, params={"a": 1}), tmp_path / "f") == ROWS
    bearer, basic, header, query = server.asked
    assert bearer.headers["Authorization"] == f"Bearer {CANARY}"
    assert base64.b64decode(basic.headers["Authorization"].removeprefix("Basic ")).decode() == f"ann:{CANARY}"
    assert header.headers["X-Api-Key"] == CANARY
    assert query.query == {"a": "1", "api_key": CANARY}


@pytest.mark.parametrize("status", [401, 403, 400, 500])
def test_no_secret_is_told_even_when_the_server_repeats_it(status, server, secret, tmp_path):
    server.routes["/items"] = lambda asked: Reply({"error": f"{asked.headers} {asked.query}"}, status)
    auth = {"api_key": {"query": "the_id", "value": secret}}
    with pytest.raises((NonRetryableError, RetryableError)) as caught:
        fetched(source(server, auth=auth, headers={"X-More": secret}), tmp_path / "f")
    assert f"answered {status}" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(source(server, auth=auth))


def test_what_a_secret_was_made_into_is_not_told_either(server, secret, tmp_path):
    server.routes["/items"] = lambda asked: Reply({"you sent": asked.headers["Authorization"]}, 403)
    for auth in ({"basic": {"user": "ann", "password": secret}}, {"bearer": secret}):
        with pytest.raises(NonRetryableError, match=r"answered 403: .*\*\*\*") as caught:
            fetched(source(server, auth=auth), tmp_path / "f")
        assert base64.b64encode(f"ann:{CANARY}".encode()).decode() not in str(caught.value)
    Issuer(server)
    server.routes["/items"] = lambda asked: Reply({"you sent": asked.headers["Authorization"]}, 403)
    with pytest.raises(NonRetryableError, match=r"answered 403: .*Bearer \*\*\*"):
        fetched(source(server, auth=credentials(server, secret)), tmp_path / "f")


def test_where_a_record_came_from_is_told_without_the_key(server, secret, tmp_path):
    server.routes["/items"] = lambda asked: Reply(ROWS, headers={} if asked.query.get("p") else {"Link": f"</items?p=2&the_id={CANARY}>; rel=next"})  # fmt: skip
    auth = {"api_key": {"query": "the_id", "value": secret}}
    (tmp_path / "f").mkdir()
    http = source(server, auth=auth, pages="link")
    found = http.scan(tmp_path).fetch(tmp_path / "f", _wanted())
    places = [place for _, _, place in found.pages]
    assert places == [f"{server.url('/items')} (page 1)", f"{server.url('/items')}?p=2&the_id=*** (page 2)"]


def _wanted() -> Any:
    from headrace.business.fetched import Wanted

    return Wanted(retry=QUICK)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://api.example.com/", "auth": {"bearer": "${secret:env/T}"}}, "over plain http"),
        ({"url": "http://api.example.com/", "headers": {"X-Key": "${secret:env/T}"}}, "over plain http"),
        (
            {
                "url": "https://a.example/",
                "auth": {"oauth2": {"token_url": "http://b.example/", "client_id": "i", "client_secret": "${secret:env/T}"}},
            },
            "over plain http",
        ),
        ({"url": "https://a.example/", "auth": {"bearer": "abc"}}, "does not stand in a definition"),
        ({"url": "https://ann:pw@a.example/"}, "login does not stand in an address"),
        ({"url": "ftp://a.example/"}, "not an address that can be asked"),
        ({"url": "file:///etc/passwd"}, "not an address that can be asked"),
        ({"url": "https://a.example/", "auth": {}}, "give one of `bearer`"),
        ({"url": "https://a.example/", "headers": {"Host": "b"}}, "not for the definition"),
    ],
)
def test_what_would_give_a_secret_away_is_refused_before_anything_is_asked(options, words):
    with pytest.raises(ValidationError, match=words):
        HttpSource.model_validate(options)


def test_plain_http_can_be_asked_for():
    options = {"url": "http://api.example.com/", "auth": {"bearer": "${secret:env/T}"}, "plain_http": True}
    assert HttpSource.model_validate(options).plain_http


# Redirects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_the_credentials(status, server, secret, tmp_path):
    server.serve("/items", Reply(b"", status, {"Location": "/there"}))
    server.serve("/there", Reply(ROWS))
    assert fetched(source(server, auth={"bearer": secret}), tmp_path / "f") == ROWS
    assert server.asked[1].headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize("by", ["redirect", "link", "next"])
def test_credentials_do_not_go_to_another_host(by, server, secret, tmp_path):
    with RestServer().running() as other:
        other.serve("/items", Reply({"rows": ROWS[10:]}))
        there = other.url("/items", "localhost")
        start = {
            "redirect": Reply(b"", 302, {"Location": there}),
            "link": Reply({"rows": ROWS[:10]}, headers={"Link": f"<{there}>; rel=next"}),
            "next": Reply({"rows": ROWS[:10], "next": there}),
        }
        server.serve("/items", start[by])
        pages = {"redirect": None, "link": "link", "next": {"next": "next"}}[by]
        options = {"auth": {"bearer": secret}, "headers": {"X-Key": secret, "X-Plain": "1"}, "records": "rows"}
        found = fetched(source(server, pages=pages, **options), tmp_path / "f")
    assert found == (ROWS[10:] if by == "redirect" else ROWS)
    assert CANARY in server.asked[0].headers["X-Key"]
    assert {"authorization", "x-key", "x-plain"} & {name.lower() for name in other.asked[0].headers} == set()


def test_redirects_have_an_end_and_stay_with_http(server, tmp_path):
    server.serve("/items", Reply(b"", 302, {"Location": "/items"}))
    with pytest.raises(NonRetryableError, match="leads on and on: 5 redirects"):
        fetched(source(server), tmp_path / "f")
    for place in ("file:///etc/passwd", "gopher://a.example/", "http://ann:pw@localhost/"):
        server.serve("/items", Reply(b"", 302, {"Location": place}))
        with pytest.raises(NonRetryableError, match="no address of http"):
            fetched(source(server), tmp_path / "f")


def test_what_is_posted_does_not_follow_to_another_host(server, tmp_path):
    server.serve("/items", Reply(b"", 307, {"Location": server.url("/items", "localhost")}))
    with pytest.raises(NonRetryableError, match="what was posted"):
        fetched(source(server, method="POST", body={"q": 1}), tmp_path / "f")


def test_nobody_outside_leads_us_inside(server, tmp_path):
    """127.0.0.1 stands for a server of the internet here; `localhost`, wherever it is, for a machine inside."""
    server.serve("/start", Reply(b"", 302, {"Location": server.url("/inside", "localhost")}))
    server.serve("/inside", Reply(ROWS))
    url = server.url("/start")
    levels = iter([0, 2])
    reach = Reach(Request(url).parts, near=lambda _: next(levels))
    client = Client(source(server), url, tmp_path, QUICK, 1_000_000, reach)
    with pytest.raises(NonRetryableError, match="leads to `localhost`, which is in this machine: not followed"):
        client.fetch(Request(url), lambda response: response)
    client.close()
    assert server.paths() == ["/start"]


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("93.184.216.34", 0), ("2606:2800:220:1::1", 0), ("10.0.0.1", 1), ("172.16.0.1", 1), ("192.168.1.1", 1), ("fd00::1", 1),
        ("100.64.0.1", 1), ("127.0.0.1", 2), ("127.9.9.9", 2), ("::1", 2), ("169.254.169.254", 2), ("fe80::1%eth0", 2), ("0.0.0.0", 2),
        ("::ffff:127.0.0.1", 2), ("::ffff:10.0.0.1", 1), ("::", 2),
    ],
)  # fmt: skip
def test_how_near_an_address_is(address, near):
    assert nearness(address) == near


# Tokens --------------------------------------------------------------------------------------------------------------


class Issuer:
    """Gives out tokens that are good for so many requests."""

    def __init__(self, server: RestServer, uses: int = 1_000, **about: Any) -> None:
        self.given, self.uses, self.about = 0, uses, about
        self.left: dict[str, int] = {}
        server.routes["/token"] = self.token
        server.routes["/items"] = self.items

    def token(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if form != {"grant_type": "client_credentials", "scope": "read"}:
            return Reply({"error": "invalid_scope"}, 400)
        if asked.headers["Authorization"] != "Basic " + base64.b64encode(f"me:{CANARY}".encode()).decode():
            return Reply({"error": "invalid_client", "error_description": asked.headers["Authorization"]}, 401)
        self.given += 1
        self.left[f"Bearer t{self.given}"] = self.uses
        return Reply({"access_token": f"t{self.given}", "token_type": "bearer", **self.about})

    def items(self, asked: Asked) -> Reply:
        token = asked.headers.get("Authorization", "")
        if self.left.get(token, 0) <= 0:
            return Reply({"error": "invalid_token"}, 401)
        self.left[token] -= 1
        page = int(asked.query["page"])
        return Reply(ROWS[(page - 1) * 5 : page * 5])


def credentials(server: RestServer, secret: Secret) -> dict[str, Any]:
    return {"oauth2": {"token_url": server.url("/token"), "client_id": "me", "client_secret": secret, "scope": "read"}}


def test_a_token_is_fetched_once_while_it_is_good(server, secret, tmp_path):
    issuer = Issuer(server, expires_in=3600)
    assert fetched(source(server, auth=credentials(server, secret), pages="number"), tmp_path / "f") == ROWS
    assert issuer.given == 1


def test_a_token_that_ends_in_the_middle_is_exchanged(server, secret, tmp_path):
    issuer = Issuer(server, uses=2)
    assert fetched(source(server, auth=credentials(server, secret), pages="number"), tmp_path / "f") == ROWS
    assert issuer.given == 3


def test_a_token_is_exchanged_before_it_ends(server, secret, tmp_path):
    issuer = Issuer(server, expires_in=0.000_001)
    assert fetched(source(server, auth=credentials(server, secret), pages="number"), tmp_path / "f") == ROWS
    assert issuer.given == 6
    assert [asked.path for asked in server.asked] == ["/token", "/items"] * 6


def test_a_server_that_takes_no_token_is_not_asked_for_ever(server, secret, tmp_path):
    issuer = Issuer(server, uses=0)
    with pytest.raises(NonRetryableError, match="answered 401"):
        fetched(source(server, auth=credentials(server, secret), pages="number"), tmp_path / "f")
    assert issuer.given == 2


def test_why_there_is_no_token_is_said_in_one_word(server, secret, tmp_path):
    Issuer(server)
    wrong = Secret("${secret:env/TOKEN}", Vault.of(tmp_path, {"TOKEN": "wr0ng"}))
    with pytest.raises(NonRetryableError, match=r"no token from .*/token: it answered 401 \(invalid_client\)\n") as caught:
        fetched(source(server, auth=credentials(server, wrong), pages="number"), tmp_path / "f")
    assert "wr0ng" not in str(caught.value)


def test_a_secret_that_no_header_can_hold_is_refused(server, tmp_path):
    broken = Secret("${secret:env/TOKEN}", Vault.of(tmp_path, {"TOKEN": "a\r\nX: y"}))
    with pytest.raises(NonRetryableError, match="the secret for `bearer` cannot be sent"):
        fetched(source(server, auth={"bearer": broken}), tmp_path / "f")
    assert server.asked == []
