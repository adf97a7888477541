"""A letter reaches a real mail server, encrypted and logged in as the definition says; refusals are told without addresses and secrets."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.notifying.conftest import CANARY, MESSAGE, Tells
from tests.integration.notifying.servers import MailServer, cut, mail_server, rude_server, say_nothing, trickle

from headrace.application.orchestrator.message import Message
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.notifying.email import EmailNotifier
from headrace.security.secrets import Secret, Vault


def written(server: MailServer | str, **options: Any) -> dict[str, Any]:
    place = server if isinstance(server, str) else server.server
    return {"email": {"to": ["a@example.com", "b@example.com"], "from": "headrace@example.com", "server": place, **options}}


def test_a_letter_says_what_happened(tells: Tells) -> None:
    with mail_server() as server:
        EmailNotifier().send(*tells(**written(server, security="none")), MESSAGE)
    (letter,) = server.letters
    assert server.recipients == [["a@example.com", "b@example.com"]]
    assert letter["Subject"] == "[failed] orders failed: checks did not pass: row_count"
    assert letter["Message-ID"] == "<db-1@headrace>"
    text = str(letter.get_payload())
    assert "run: 20240301-060000-abcdef, failed" in text
    assert "rule: orders: amount at_least 0: 2 rows" in text
    assert "check: row_count: fail" in text


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_goes_encrypted_and_with_a_login(tells: Tells, vault: Vault, certified: ssl.SSLContext, security: str) -> None:
    kind = {"tls": certified} if security == "tls" else {"starttls": certified}
    with mail_server(**kind) as server:
        password = Secret("${secret:env/CANARY}", vault)
        EmailNotifier().send(*tells(**written(server, security=security, user="headrace", password=password)), MESSAGE)
    assert len(server.letters) == 1
    assert server.logins == [(b"headrace", CANARY.encode())]


def test_a_server_without_starttls_gets_nothing(tells: Tells) -> None:
    with mail_server() as server:
        error = refused(*tells(**written(server, security="starttls")))
    assert isinstance(error, NonRetryableError)
    assert server.letters == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tells: Tells, certified: ssl.SSLContext) -> None:
    with mail_server(starttls=certified) as server:
        error = refused(*tells(**written(server, security="starttls", user="u", password=CANARY)))
    assert isinstance(error, NonRetryableError)
    assert (server.letters, server.logins) == ([], [])


@pytest.mark.usefixtures("trusting")
def test_a_login_that_is_refused_is_not_tried_again(tells: Tells, certified: ssl.SSLContext) -> None:
    with mail_server(starttls=certified) as server:
        server.refuse_login = True
        error = refused(*tells(**written(server, user="headrace", password=CANARY)))
    assert isinstance(error, NonRetryableError)
    assert "login" in error.message


@pytest.mark.usefixtures("trusting")
def test_a_password_that_cannot_be_sent_is_not_shown(tells: Tells, certified: ssl.SSLContext) -> None:
    with mail_server(starttls=certified) as server:
        error = refused(*tells(**written(server, user="headrace", password=CANARY + "é")))
    assert isinstance(error, NonRetryableError)


@pytest.mark.parametrize(("code", "retryable"), [("451 later", True), ("550 a@example.com is nobody", False)])
def test_what_a_server_refuses_decides_whether_it_is_told_again(tells: Tells, code: str, retryable: bool) -> None:
    for way in ({"refuse_data": code}, {"refuse": {"a@example.com": code, "b@example.com": code}}):
        with mail_server() as server:
            for name, value in way.items():
                setattr(server, name, value)
            error = refused(*tells(**written(server, security="none")))
        assert isinstance(error, RetryableError) is retryable
        assert server.letters == []


def test_recipients_that_have_it_do_not_get_it_again(tells: Tells) -> None:
    with mail_server() as server:
        server.refuse = {"b@example.com": "451 later"}
        error = refused(*tells(**written(server, security="none")))
    assert isinstance(error, NonRetryableError)
    assert "1 of 2 recipients" in error.message
    assert server.recipients == [["a@example.com"]]


@pytest.mark.parametrize("behave", [say_nothing, cut])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_server_that_hangs_or_breaks_off_is_told_again_later(tells: Tells, behave: object, security: str) -> None:
    with rude_server(behave) as port:  # type: ignore[arg-type]
        error = refused(*tells(**written(f"localhost:{port}", security=security)), seconds=0.3)
    assert isinstance(error, RetryableError)


def test_a_server_that_trickles_is_told_again_later(tells: Tells) -> None:
    def greet(connection: Any) -> None:
        connection.sendall(b"220 hello\r\n")
        trickle(connection)

    with rude_server(greet) as port:
        error = refused(*tells(**written(f"localhost:{port}", security="none")), seconds=0.3)
    assert isinstance(error, RetryableError)


def test_a_server_that_is_not_there_is_told_again_later(tells: Tells) -> None:
    with rude_server(cut) as port:
        pass
    error = refused(*tells(**written(f"localhost:{port}", security="none")))
    assert isinstance(error, RetryableError)


def test_a_summary_cannot_add_headers_or_lines_of_its_own(tells: Tells) -> None:
    facts = {**MESSAGE.facts, "summary": "orders: check `é .` did not pass"}
    with mail_server() as server:
        EmailNotifier().send(*tells(**written(server, security="none")), replace(MESSAGE, facts=facts))
    assert len(server.letters) == 1
    assert server.letters[0]["Bcc"] is None


def refused(*telling: Any, seconds: float = 30.0, message: Message = MESSAGE) -> HeadraceError:
    with pytest.raises(HeadraceError) as raised:
        EmailNotifier(seconds).send(*telling, message)
    shown = str(raised.value) + repr(raised.value)
    assert CANARY not in shown
    assert "@example.com" not in shown
    return raised.value
