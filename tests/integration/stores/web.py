"""A web server of the tests that does as it is told: gives ranges or not, lies about lengths, redirects, refuses, breaks off."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What is at a path, and how the server gives it."""

    data: bytes = b""
    ranges: bool = True
    tag: bool = True
    weak: bool = False
    length: bool = True
    says: int | None = None
    """The length that it claims."""
    redirect: str | None = None
    needs: str | None = None
    """The `Authorization` without which it answers 401."""
    refusals: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """What the next requests are answered with instead."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the bodies of the next requests break off."""


class Web(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.pages: dict[str, Page] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.guard = threading.Lock()
        self.scheme = "http" if context is None else "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @classmethod
    @contextmanager
    def running(cls, context: ssl.SSLContext | None = None) -> Iterator[Web]:
        server = cls(context)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.guard:
            self.server.seen.append((self.path, dict(self.headers.items())))
            page = self.server.pages.get(path)
            refusal = page.refusals.pop(0) if page and page.refusals else None
            cut = page.cuts.pop(0) if page and page.cuts else None
        if page is None:
            return self._plain(404)
        if refusal is not None:
            return self._plain(*refusal)
        if page.redirect is not None:
            return self._plain(302, {"Location": page.redirect})
        if page.needs is not None and self.headers.get("Authorization") != page.needs:
            return self._plain(401)
        self._give(page, cut)
        return None

    do_HEAD = do_GET

    def _give(self, page: Page, cut: int | None) -> None:
        tag = f'{"W/" if page.weak else ""}"{md5(page.data).hexdigest()}"'
        wanted = self.headers.get("If-Match")
        if wanted is not None and wanted != tag:
            return self._plain(412)
        body, status, headers = page.data, 200, {"ETag": tag} if page.tag else {}
        asked = self.headers.get("Range")
        if page.ranges and asked:
            start, stop = (int(n) for n in asked.removeprefix("bytes=").split("-"))
            if start >= len(page.data):
                return self._plain(416, {"Content-Range": f"bytes */{len(page.data)}"})
            body, status = page.data[start : stop + 1], 206
            headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{len(page.data)}"
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if page.length:
            self.send_header("Content-Length", str(page.says if page.says is not None else len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None or page.says is not None:
            self.close_connection = True
        return None

    def _plain(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {**(headers or {}), "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""
