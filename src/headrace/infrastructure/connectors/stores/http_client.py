"""Asks servers by HTTP and gives their answers as they come. Redirects are followed with care, and credentials never leave their host.

Not what an answer means: that says who asked. Nothing is read from a proxy's settings, and nothing is ever decoded on the way.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.patience import at_most, what_broke
from headrace.infrastructure.posting import Answer, target

Origin = tuple[str, str, int]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 5
#: A body that trickles may take so many times as long as a server may be silent.
_PATIENCE = 20


@dataclass
class HttpClient:
    """Connections to whatever hosts are asked, kept open between requests. It may be used by several threads.

    `secret_headers` go to the host `home` and to no other; `timeout` is how many seconds a server may be silent.
    """

    timeout: float
    home: Origin
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: bytes | None = field(default=None, repr=False)
    _idle: dict[Origin, list[HTTPConnection]] = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __del__(self) -> None:
        for connection in (c for idle in self._idle.values() for c in idle):
            connection.close()

    @contextmanager
    def asking(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Path | bytes | None = None
    ) -> Iterator[HTTPResponse]:
        """The answer, whose body is still to be read, after all redirects. Raises our own errors for all that breaks on the way."""
        shown = shown_url(url)
        parts = urlsplit(url)
        with _faults(shown):
            for _ in range(_HOPS):
                with self._answer(method, parts, headers or {}, body) as response:
                    where = response.getheader("Location")
                    if response.status not in _REDIRECTS or not where:
                        yield response
                        return
                    parts = _redirected(parts, where, shown)
                    method = "GET" if response.status == 303 else method
        raise NonRetryableError(
            f"`{shown}` leads on and on: {_HOPS} redirects", hint="name the place where the file really lies"
        )

    @contextmanager
    def _answer(
        self, method: str, parts: SplitResult, headers: Mapping[str, str], body: Path | bytes | None
    ) -> Iterator[HTTPResponse]:
        origin = origin_of(parts)
        own = {**headers, **(self.secret_headers if origin == self.home else {})}
        connection, usable = self._connection(origin), False
        try:
            with at_most(self.timeout * _PATIENCE, lambda: connection.sock):
                response = self._sent(connection, method, parts, own, body)
                yield response
                usable = response.isclosed() and not response.will_close
        finally:
            self._keep(origin, connection) if usable else connection.close()

    def _keep(self, origin: Origin, connection: HTTPConnection) -> None:
        with self._guard:
            self._idle.setdefault(origin, []).append(connection)

    def _sent(
        self, connection: HTTPConnection, method: str, parts: SplitResult, headers: Mapping[str, str], body: Path | bytes | None
    ) -> HTTPResponse:
        """The answer's head. A connection that had been kept open may have been closed by the server meanwhile: then a new one is."""
        kept = connection.sock is not None
        try:
            return _exchange(connection, method, parts, headers, body)
        except (ConnectionError, HTTPException):
            if not kept:
                raise
            connection.close()
            return _exchange(connection, method, parts, headers, body)

    def _connection(self, origin: Origin) -> HTTPConnection:
        with self._guard:
            if idle := self._idle.get(origin):
                return idle.pop()
        scheme, host, port = origin
        if scheme == "http":
            return HTTPConnection(host, port, timeout=self.timeout)
        context = ssl.create_default_context()
        if self.ca is not None:
            context.load_verify_locations(cadata=self.ca.decode("ascii", "replace"))
        return HTTPSConnection(host, port, timeout=self.timeout, context=context)


def _exchange(
    connection: HTTPConnection, method: str, parts: SplitResult, headers: Mapping[str, str], body: Path | bytes | None
) -> HTTPResponse:
    sent = {"Accept-Encoding": "identity", "User-Agent": "headrace", **headers}
    if isinstance(body, Path):
        with body.open("rb") as file:
            connection.request(method, target(parts), file, {**sent, "Content-Length": str(body.stat().st_size)})
            return connection.getresponse()
    connection.request(method, target(parts), body, sent)
    return connection.getresponse()


def origin_of(parts: SplitResult) -> Origin:
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def shown_url(url: str) -> str:
    """An address for people: without its query, which may hold signatures and tokens."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?..." if parts.query else "")


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


def followed(url: str, where: str) -> str:
    """Where an answer leads that says so in words, by the same rules as a redirect."""
    return _redirected(urlsplit(url), where, shown_url(url)).geturl()


def _redirected(parts: SplitResult, where: str, shown: str) -> SplitResult:
    """Where a redirect leads, if it may: not off HTTP, not from what is encrypted to what is not, not from outside into a network."""
    new = urlsplit(urljoin(parts.geturl(), where))
    hint = "if that place is right, write it in the definition"
    if new.scheme not in ("http", "https") or not new.hostname:
        raise NonRetryableError(f"`{shown}` leads to `{new.scheme}:`, which is not followed", hint=hint)
    if parts.scheme == "https" and new.scheme == "http":
        raise NonRetryableError(f"`{shown}` leads to {new.hostname} without encryption, which is not followed", hint=hint)
    if new.hostname != parts.hostname and _is_inside(new) and not _is_inside(parts):
        raise NonRetryableError(
            f"`{shown}` leads to {new.hostname}, which is inside of a network, and is not followed", hint=hint
        )
    return new


def _is_inside(parts: SplitResult) -> bool:
    """Whether a host is one of this machine or of a private network, by any of its addresses."""
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # nobody can connect to it either
    return any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found)


@contextmanager
def _faults(shown: str) -> Iterator[None]:
    try:
        yield
    except IncompleteRead as error:
        raise RetryableError(
            f"`{shown}` broke off after {len(error.partial):,} bytes", hint="try again; see whether the network is sound"
        ) from None
    except ssl.SSLCertVerificationError as error:
        hint = "if a private authority vouches for it, name its certificates as `ca` in the connection"
        raise NonRetryableError(
            f"`{shown}` cannot be reached: {what_broke(error)} ({error.verify_message})", hint=hint
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        hint = "see that the host and port are right, and that the server runs"
        raise RetryableError(f"`{shown}` cannot be reached: {what_broke(error)}", hint=hint) from None
