"""An HTTP server of the tests that answers as it is told, and misbehaves on request. It keeps what it was asked."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request, as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Reply:
    """What the server answers. `length` lies about the length, `cut` sends only so many bytes, `stall` sends nothing more until the end."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: int | None = None
    zipped: bool = False
    stall: bool = False

    @property
    def content(self) -> bytes:
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return gzip.compress(content) if self.zipped else content


Route = Callable[[Asked], Reply]


class RestServer:
    """A server on a free port of this machine. `routes` are tried by path; each request is kept in `asked`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.routes: dict[str, Route] = {}
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, *replies: Reply) -> None:
        """These answers, one after the other; the last one for ever."""
        left = list(replies)

        def route(asked: Asked) -> Reply:
            with self._lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.routes[path] = route

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    @contextmanager
    def running(self) -> Iterator[RestServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                return

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
                with server._lock:
                    server.asked.append(asked)
                route = server.routes.get(parts.path, lambda _: Reply({"error": "no such thing"}, 404))
                self._send(route(asked))

            do_POST = do_GET

            def _send(self, reply: Reply) -> None:
                content = reply.content
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.zipped:
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(content) if reply.length is None else reply.length))
                self.end_headers()
                self.wfile.write(content if reply.cut is None else content[: reply.cut])
                if reply.stall:
                    self.wfile.flush()
                    server.over.wait(60)
                if reply.cut is not None or reply.length is not None or reply.stall:
                    self.close_connection = True

        return Handler


def pages_of(rows: list[Any], by: int) -> Route:
    """Rows by `page` and `per_page`, with what they count beside them."""

    def route(asked: Asked) -> Reply:
        page, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", by))
        size = min(size, by)
        start = (page - 1) * size
        meta = {"total": len(rows), "pages": -(-len(rows) // size)}
        return Reply({"data": {"items": rows[start : start + size]}, "meta": meta})

    return route
