"""A server that stands before another one and misbehaves as it is told: refuses, cuts bodies off, keeps silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What goes wrong with the next so many requests of a method whose path has `part` in it."""

    method: str
    part: str
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    lose_answer: bool = False
    """The request is carried out, and nobody hears of it."""
    then: Callable[[], None] | None = None
    """Called before the request is carried out."""


class FaultyProxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind)
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str, str | None]] = []
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @classmethod
    @contextmanager
    def before(cls, behind: str) -> Iterator[FaultyProxy]:
        server = cls(behind)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def fault(self, method: str, path: str) -> Fault | None:
        with self.guard:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and fault.part in path:
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.guard:
            self.server.seen.append((self.command, self.path, self.headers.get("Range")))
        fault = self.server.fault(self.command, self.path)
        if fault is not None and fault.then is not None:
            fault.then()
        if fault is not None and fault.status is not None:
            self._answer(
                fault.status, fault.headers, b"<Error><Code>Busy</Code></Error>", len(b"<Error><Code>Busy</Code></Error>")
            )
            return
        behind = self.server.behind
        connection = HTTPConnection(behind.hostname or "", behind.port, timeout=60)
        try:
            # The host is that of the proxy, because it is signed.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            found = connection.getresponse()
            data = found.read()
            headers = {
                k: v for k, v in found.getheaders() if k.lower() not in ("transfer-encoding", "content-length", "connection")
            }
            length = int(found.getheader("Content-Length") or len(data)) if self.command == "HEAD" else len(data)
        finally:
            connection.close()
        if fault is not None and fault.lose_answer:
            self.close_connection = True
            self.connection.close()
            return
        cut = fault.cut_at if fault is not None else None
        self._answer(found.status, headers, data if cut is None else data[:cut], length)
        if cut is not None:
            self.close_connection = True

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""
