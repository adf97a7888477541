"""Relaying events to a webhook: signed, at least once, in the order of each run, and never in the way of a run."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from headrace import bootstrap
from headrace.bus.bus import EventBus
from headrace.bus.cloudevents import read_cloudevent
from headrace.bus.events import PipelineCompletedEvent, PipelineStartedEvent
from headrace.bus.store import Envelope
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.outbox.webhook import Webhook
from headrace.infrastructure.storage.delivering import Delivery
from headrace.security.secrets import Secret, Vault


class Receiver(ThreadingHTTPServer):
    """A webhook that writes down what it gets. `answers` are its next answers: status and headers, or an act; then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]] | Callable[[BaseHTTPRequestHandler], None]] = []
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.got]


class _Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.server.answers.pop(0) if self.server.answers else (204, {})
        if callable(answer):
            answer(self)
            return
        if answer[0] < 300:
            self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(answer[0])
        for name, value in answer[1].items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Path:
    text = f'[[outbox]]\nwebhook = "{receiver.url}"\nname = "hook"\nsecret = "${{secret:file/key}}"\n'
    (tmp_path / "headrace.toml").write_text(text)
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("hunter2")
    delivery(tmp_path).catch_up()
    return tmp_path


def delivery(project: Path, clock: list[float] | None = None) -> Delivery:
    (subscription,) = bootstrap.outbox(project)
    if clock is None:
        return Delivery(bootstrap.database(project), subscription)
    return Delivery(bootstrap.database(project), subscription, wall=lambda: clock[0])


def told(project: Path, *runs: str) -> list[Envelope]:
    bus = EventBus(bootstrap.event_store(project))
    for run in runs:
        bus.record(PipelineStartedEvent(run, pipeline="p"), PipelineCompletedEvent(run, pipeline="p"))
    return list(bus.store.read())


def test_events_arrive_as_signed_cloudevents(project: Path, receiver: Receiver) -> None:
    stored = told(project, "a", "b")
    delivery(project).catch_up()
    assert [read_cloudevent(body).envelope() for _, _, body in receiver.got] == stored
    for path, headers, body in receiver.got:
        assert (path, headers["content-type"]) == ("/hook", "application/cloudevents+json; charset=UTF-8")
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(b"hunter2", signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"


def test_one_that_is_down_resets_or_is_busy_gets_everything_in_order_afterwards(project: Path, receiver: Receiver) -> None:
    def reset(request: BaseHTTPRequestHandler) -> None:
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request.close_connection = True

    clock = [1e9]
    receiver.answers = [(500, {}), reset, (429, {"Retry-After": "600"}), (503, {})] * 6
    told(project, "a", "b", "c")
    relay = delivery(project, clock)
    for _ in range(40):
        relay.catch_up()
        clock[0] += 601
    assert receiver.ids == ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]
    assert bootstrap.subscriptions(project).dead_letters() == []


def test_what_it_refuses_for_good_goes_to_the_dead_letters_with_the_rest_of_its_run(project: Path, receiver: Receiver) -> None:
    clock = [1e9]
    receiver.answers = [(400, {})] * 3
    told(project, "a", "b")
    relay, store = delivery(project, clock), bootstrap.subscriptions(project)
    for _ in range(6):
        relay.catch_up()
        clock[0] += 400
    assert receiver.ids == ["b/1", "b/2"]
    assert [(d.position, d.error) for d in store.dead_letters()] == [
        (1, "the webhook at 127.0.0.1 answered 400"), (2, "waits behind an event of its run that was given up"),
    ]  # fmt: skip
    store.retry("outbox hook")
    relay.catch_up()
    assert receiver.ids == ["b/1", "b/2", "a/1", "a/2"]


def test_a_secret_that_is_not_there_holds_the_events_back_and_loses_none(project: Path, receiver: Receiver) -> None:
    (project / "key").rename(project / "gone")
    told(project, "a")
    clock = [1e9]
    relay = delivery(project, clock)
    for _ in range(10):
        relay.catch_up()
        clock[0] += 400
    (standing,) = bootstrap.subscriptions(project).standing()
    assert (standing.behind, standing.dead_letters) == (2, 0)
    assert "`file/key` cannot be read" in standing.error
    (project / "gone").rename(project / "key")
    relay.catch_up()
    assert receiver.ids == ["a/1", "a/2"]


def an_event() -> Envelope:
    from datetime import UTC, datetime

    return Envelope(1, "a", 1, "pipeline.started/1", datetime.now(UTC), {}, "h")


def hook(url: str, timeout: float = 10.0) -> Webhook:
    return Webhook(Secret(url), lambda: "urn:headrace:x", None, timeout, wall=lambda: 784_111_777.0)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"Location": receiver.url})]
    with pytest.raises(NonRetryableError, match=f"answered {status}") as caught:
        hook(receiver.url)(an_event())
    assert "redirects are not followed" in str(caught.value.hint)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 06 Nov 1994 08:51:37 GMT", 120.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_how_long_it_asks_to_wait(receiver: Receiver, said: str | None, seconds: float | None) -> None:
    receiver.answers = [(503, {"Retry-After": said} if said else {})]
    with pytest.raises(RetryableError) as caught:
        hook(receiver.url)(an_event())
    assert caught.value.retry_after == seconds


def test_one_who_answers_drop_by_drop_is_left(receiver: Receiver) -> None:
    done = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        try:
            while not done.wait(0.05):
                request.wfile.write(b"H")
        except OSError:
            pass

    receiver.answers = [drip]
    with pytest.raises(RetryableError, match="cannot be reached"):
        hook(receiver.url, timeout=0.3)(an_event())
    done.set()


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "http:///x", "http://ada:hunter2@example.com/", "http://x:99999999/"]
)
def test_no_other_address_is_called(url: str) -> None:
    with pytest.raises(RetryableError, match="must be `http` or `https`") as caught:
        hook(url)(an_event())
    assert "hunter2" not in str(caught.value)


def test_the_secrets_of_an_address_are_in_no_error(receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (400, {})]
    address = Secret(receiver.url + "/${secret:env/KEY}", Vault.of(Path(), {"KEY": "hunter2"}))
    for _ in range(2):
        with pytest.raises((RetryableError, NonRetryableError)) as caught:
            Webhook(address, lambda: "urn:headrace:x")(an_event())
        assert "hunter2" not in str(caught.value)


def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    hook(receiver.url)(an_event())
    assert receiver.ids == ["a/1"]
