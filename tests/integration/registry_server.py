"""A schema registry for tests, which answers as Confluent's does: the part of its API that readers and writers ask."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Schemas:
    """What a registry holds, and what it was asked."""

    by_id: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    user: tuple[str, str] | None = None

    def add(self, subject: str, schema: Any, kind: str = "AVRO", references: list[dict[str, Any]] | None = None) -> int:
        """Register a schema as the API does: the same text has the same number."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        found = (
            {"schema": text}
            | ({} if kind == "AVRO" else {"schemaType": kind})
            | ({"references": references} if references else {})
        )
        number = next((n for n, known in self.by_id.items() if known == found), len(self.by_id) + 1)
        self.by_id[number] = found
        versions = self.subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["subjects"]:
                return 200, list(self.subjects)
            case "GET", ["schemas", "ids", number]:
                found = self.by_id.get(int(number))
                return (200, found) if found else (404, {"error_code": 40403, "message": "Schema not found"})
            case "GET", ["subjects", subject, "versions", version]:
                known = self.subjects.get(subject, [])
                if not 0 < int(version) <= len(known):
                    return 404, {"error_code": 40402, "message": "Version not found"}
                number = known[int(version) - 1]
                return 200, {"subject": subject, "version": int(version), "id": number} | self.by_id[number]
            case "POST", ["subjects", subject, "versions"]:
                if "wrong" in body["schema"]:
                    return 409, {"error_code": 409, "message": "Schema being registered is incompatible"}
                return 200, {"id": self.add(subject, body["schema"], body.get("schemaType", "AVRO"))}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}


@contextmanager
def registry(schemas: Schemas, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server of these schemas on a free port, encrypted where that is wanted; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._do(None)

        def do_POST(self) -> None:
            self._do(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _do(self, body: Any) -> None:
            schemas.asked.append(f"{self.command} {self.path}")
            status, said = schemas.answer(self.command, self.path, body)
            if schemas.away:
                status, said = 503, {}
            elif (
                schemas.user
                and self.headers["Authorization"] != "Basic " + base64.b64encode(":".join(schemas.user).encode()).decode()
            ):
                status, said = 401, {"error_code": 401, "message": "Unauthorized"}
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
