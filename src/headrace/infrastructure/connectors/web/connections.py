"""Requests and their open answers over HTTP/1.1, on connections that are kept. No redirect is followed, nothing is tried again.

Nothing is read from a proxy's settings.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR
from threading import Lock
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from headrace.infrastructure.connectors.web.faults import Unaskable
from headrace.infrastructure.connectors.web.urls import Origin, origin_of
from headrace.infrastructure.patience import at_most
from headrace.infrastructure.posting import target
from headrace.records import record

#: Told the host and the address of each new connection before anything is sent; what it raises ends the matter.
Admit: TypeAlias = Callable[[str, str], None]


@record
class Request:
    """What is asked for. `url` holds no credentials; a path as `body` is of a file that is sent."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Path | None = field(default=None, repr=False)

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)


@record
class Conversation:
    """An answer whose body is still to be read, and how it is encrypted: the version of TLS and the cipher."""

    response: HTTPResponse
    tls: str | None


class Connections:
    """Connections to whatever hosts are asked, for many threads. `seconds` are how long a server may be silent, `longest` how long a
    request and its answer may take in all."""

    def __init__(self, seconds: float, longest: float, context: Callable[[], ssl.SSLContext], admit: Admit) -> None:
        self._seconds, self._longest, self._admit = seconds, longest, admit
        self._context = context
        self._made: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[HTTPConnection]] = {}
        self._busy: set[HTTPConnection] = set()
        self._lock = Lock()

    def __del__(self) -> None:
        for connection in (connection for idle in self._idle.values() for connection in idle):
            connection.close()

    @contextmanager
    def asking(self, request: Request) -> Iterator[Conversation]:
        """The answer, within this. Raises what `faults` tells in our own errors, and what `admit` raises."""
        with ExitStack() as held:
            yield self._begun(held, request)

    def close(self) -> None:
        """Let go of every connection; whoever waits for an answer on one gets none."""
        with self._lock:
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
            waiting = [connection.sock for connection in self._busy]
        for connection in connections:
            connection.close()
        for sock in waiting:
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(SHUT_RDWR)

    # How ------------------------------------------------------------------------------------------------------------

    def _begun(self, held: ExitStack, request: Request) -> Conversation:
        """A connection that was kept may have been closed by the server meanwhile: then a new one is asked."""
        origin = origin_of(request.parts)
        if (kept := self._kept(origin)) is not None:
            with suppress(ConnectionError):
                return held.enter_context(self._conversation(kept, origin, request))
        return held.enter_context(self._conversation(self._new(origin), origin, request))

    def _kept(self, origin: Origin) -> HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None

    def _new(self, origin: Origin) -> HTTPConnection:
        scheme, host, port = origin
        connection: _Plain
        if scheme == "http":
            connection = _Plain(host, port, timeout=self._seconds)
        else:
            if self._made is None:
                self._made = self._context()
            connection = _Encrypted(host, port, timeout=self._seconds, context=self._made)
        connection.admit = self._admit
        return connection

    @contextmanager
    def _conversation(self, connection: HTTPConnection, origin: Origin, request: Request) -> Iterator[Conversation]:
        whole = False
        with self._lock:
            self._busy.add(connection)
        try:
            if connection.sock is None:
                _connect(connection)
            sock = connection.sock
            with at_most(self._longest, lambda: sock):
                _send(connection, request)
                with connection.getresponse() as response:
                    yield Conversation(response, _cipher(sock))
                    whole = response.isclosed() and not response.will_close
        finally:
            with self._lock:
                self._busy.discard(connection)
                if whole:
                    self._idle.setdefault(origin, []).append(connection)
            if not whole:
                connection.close()


def _connect(connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except UnicodeError as error:  # the name of the host, before it is looked up
        raise Unaskable from error


def _send(connection: HTTPConnection, request: Request) -> None:
    headers = dict(request.headers)
    try:
        if isinstance(request.body, Path):
            with request.body.open("rb") as file:
                headers["Content-Length"] = str(request.body.stat().st_size)
                connection.request(request.method, target(request.parts), file, headers)
        else:
            connection.request(request.method, target(request.parts), request.body, headers)
    except ValueError as error:
        raise Unaskable from error


class _Plain(HTTPConnection):
    admit: Admit

    def connect(self) -> None:
        super().connect()
        admitted = False
        try:
            self.admit(self.host, str(self.sock.getpeername()[0]))
            admitted = True
        finally:
            if not admitted:
                self.close()


class _Encrypted(HTTPSConnection, _Plain):
    """The order of the bases has the address judged before TLS begins."""


def _cipher(sock: object) -> str | None:
    if not isinstance(sock, ssl.SSLSocket):
        return None
    cipher = sock.cipher()
    return " ".join(filter(None, (sock.version(), cipher[0] if cipher else None))) or None
