"""One request and its whole answer over HTTP/1.1, on connections that are kept. No redirect is followed, nothing is tried again."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from threading import Lock
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from headrace.infrastructure.connectors.rest.reach import Origin, origin_of
from headrace.infrastructure.patience import at_most
from headrace.infrastructure.posting import Answer, target
from headrace.records import record

_BLOCK = 1 << 20
#: What a server does that has closed a kept connection in the meantime.
_STALE = (ConnectionError, BrokenPipeError)

Admit: TypeAlias = Callable[[str, str], None]


class Broken(HTTPException):
    """The answer is not as long as it says, or ends in the middle."""


class TooLarge(Exception):
    """The answer is larger than was allowed."""


@record
class Request:
    """What is asked for. `url` holds no credentials; `page` counts from 1 and is told in messages."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    page: int = 1

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)


@record
class Response:
    """What came: the body decompressed, header names in lower case."""

    answer: Answer
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    tls: str | None = None
    """The version and cipher of TLS."""

    @property
    def text(self) -> str:
        """By the character set that the answer names, else UTF-8. Raises `ValueError`."""
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2].partition(";")[0].strip("\"' ")
        try:
            return self.body.decode(charset if charset not in ("", "utf-8", "utf8") else "utf-8-sig")
        except LookupError:
            raise ValueError(f"its character set `{charset[:40]}` is not known") from None


class Exchange:
    """`seconds` are for connecting, and again for the whole of sending and answering; `largest` is in bytes. `admit` is told the host
    and the address of each new connection, before anything is sent."""

    def __init__(self, seconds: float, largest: int, context: Callable[[], ssl.SSLContext], admit: Admit) -> None:
        self.seconds, self.largest, self.admit = seconds, largest, admit
        self._context = context
        self._made: ssl.SSLContext | None = None
        self._idle: dict[Origin, list[HTTPConnection]] = {}
        self._busy: set[HTTPConnection] = set()
        self._lock = Lock()

    def ask(self, request: Request) -> Response:
        """Raises `posting.FAILURES`, `TooLarge`, and what `admit` raises. From many threads at once."""
        origin = origin_of(request.parts)
        kept = self._kept(origin)
        if kept is not None:
            try:
                return self._asked(kept, origin, request)
            except _STALE:
                kept.close()
        return self._asked(self._connection(request.parts), origin, request)

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

    def _kept(self, origin: Origin) -> HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None

    def _connection(self, url: SplitResult) -> HTTPConnection:
        host = url.hostname or ""
        connection: _Plain
        if url.scheme == "http":
            connection = _Plain(host, url.port, timeout=self.seconds)
        else:
            if self._made is None:
                self._made = self._context()
            connection = _Encrypted(host, url.port, timeout=self.seconds, context=self._made)
        connection.admit = self.admit
        return connection

    def _asked(self, connection: HTTPConnection, origin: Origin, request: Request) -> Response:
        kept = False
        with self._lock:
            self._busy.add(connection)
        try:
            if connection.sock is None:
                connection.connect()
            sock = connection.sock
            with at_most(self.seconds, lambda: sock):
                connection.request(request.method, target(request.parts), request.body, dict(request.headers))
                with connection.getresponse() as response:
                    body = self._body(response)
                    kept = not response.will_close
            headers = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, headers.get("retry-after", ""))
            return Response(answer, headers, self._plain(body, headers), _cipher(sock))
        finally:
            with self._lock:
                self._busy.discard(connection)
                if kept:
                    self._idle.setdefault(origin, []).append(connection)
            if not kept:
                connection.close()

    def _body(self, response: HTTPResponse) -> bytes:
        length = response.length
        if length is not None and length > self.largest:
            raise TooLarge
        blocks, size = [], 0
        while block := response.read(_BLOCK):
            blocks.append(block)
            size += len(block)
            if size > self.largest:
                raise TooLarge
        if length is not None and size != length:
            raise Broken(f"the answer has {size:,} bytes, and its header says {length:,}")
        return b"".join(blocks)

    def _plain(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding in ("", "identity") or not body:
            return body
        if coding not in ("gzip", "x-gzip"):
            raise Broken(f"the answer is encoded as `{coding[:20]}`, which was not asked for")
        reading = zlib.decompressobj(31)
        try:
            plain = reading.decompress(body, self.largest + 1)
        except zlib.error:
            raise Broken("the answer is no gzip, though it says so") from None
        if len(plain) > self.largest:
            raise TooLarge
        if not reading.eof:
            raise Broken("the answer ends in the middle of its gzip")
        return plain


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
