"""Asks servers for files and gives the answers as they come: nothing is decoded, and what a refusal means for a file is said here."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.web.connections import Connections, Request
from headrace.infrastructure.connectors.web.faults import telling
from headrace.infrastructure.connectors.web.reach import Reach
from headrace.infrastructure.connectors.web.trail import Trail
from headrace.infrastructure.connectors.web.urls import shown_url
from headrace.infrastructure.posting import Answer

#: A body that trickles may take so many times as long as a server may be silent.
_PATIENCE = 20
#: So much of the answer that redirects is read, so that its connection can be kept.
_ASIDE = 64 << 10


class HttpClient:
    """For several threads. `secret_headers` go to the server at `home` and to no other; `timeout` is how many seconds a server may be
    silent."""

    def __init__(
        self,
        timeout: float,
        home: str,
        secret_headers: Mapping[str, str] | None = None,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        reach: Reach | None = None,
    ) -> None:
        self._home, self._secret_headers = urlsplit(home), secret_headers or {}
        self._connections = Connections(timeout, timeout * _PATIENCE, context, (reach or Reach(self._home)).admit)

    @contextmanager
    def asking(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Path | bytes | None = None
    ) -> Iterator[HTTPResponse]:
        """The answer, whose body is still to be read, after all redirects. Raises our own errors for all that breaks on the way."""
        trail = Trail(Request(url, method, headers or {}, body), self._home, _quoted)
        with telling(_quoted(url)):
            while True:
                with self._connections.asking(self._completed(trail)) as conversation:
                    response = conversation.response
                    if not trail.leads_on(response.status, response.getheader("Location")):
                        yield response
                        return
                    response.read(_ASIDE)

    def _completed(self, trail: Trail) -> Request:
        request = trail.request
        ours = {"Accept-Encoding": "identity", "User-Agent": "headrace"}
        secret = self._secret_headers if trail.is_home else {}
        return Request(request.url, request.method, {**ours, **request.headers, **secret}, request.body)


def _quoted(url: str) -> str:
    return f"`{shown_url(url)}`"


def read_all(response: HTTPResponse, name: str, largest: int) -> bytes:
    """The body of an answer, which must not be longer than expected."""
    body = response.read(largest + 1)
    if len(body) > largest:
        raise NonRetryableError(f"`{name}`: the answer is longer than {largest:,} bytes", hint="see that the address is right")
    return body


def refused(response: HTTPResponse, shown: str) -> RunError:
    """What to raise for an answer that is no success."""
    answer = Answer(response.status, response.getheader("Retry-After") or "")
    if answer.may_pass:
        hint = "try again; the server may be overloaded"
        return RetryableError(
            f"`{shown}`: the server answered {answer.status}", hint=hint, retry_after=answer.retry_after(time.time())
        )
    if answer.status in (401, 407):
        return NonRetryableError(
            f"`{shown}`: the server does not know us", hint="see that the credentials of the connection are right"
        )
    if answer.status == 403:
        return NonRetryableError(
            f"`{shown}`: access is denied", hint="give this user the right, or name a `connection` with credentials"
        )
    if answer.status in (404, 410):
        return NonRetryableError(f"there is no file `{shown}`", hint="see that the address is right")
    return NonRetryableError(f"`{shown}`: the server answered {answer.status}", hint="see that the address is right")
