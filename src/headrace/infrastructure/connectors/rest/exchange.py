"""One request and its whole answer, checked and decompressed. No redirect is followed, nothing is tried again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import field
from http.client import HTTPException, HTTPResponse

from headrace.infrastructure.connectors.web import connections
from headrace.infrastructure.connectors.web.connections import Connections
from headrace.infrastructure.posting import Answer
from headrace.records import record

_BLOCK = 1 << 20


class Broken(HTTPException):
    """The answer is not as long as it says, or ends in the middle."""


class TooLarge(Exception):
    """The answer is larger than was allowed."""


@record
class Request(connections.Request):
    """What is asked of an API; `page` counts from 1 and is told in messages."""

    page: int = 1


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
    """`largest` is in bytes, for the body as it comes and as it is when decompressed."""

    def __init__(self, connections: Connections, largest: int) -> None:
        self._connections, self._largest = connections, largest

    def ask(self, request: connections.Request) -> Response:
        """Raises what `faults` tells, `Broken`, `TooLarge`, and what the connections' `admit` raises. From many threads at once."""
        with self._connections.asking(request) as conversation:
            response = conversation.response
            body = self._body(response)
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers.get("retry-after", ""))
        return Response(answer, headers, self._plain(body, headers), conversation.tls)

    def close(self) -> None:
        """Let go of every connection; whoever waits for an answer on one gets none."""
        self._connections.close()

    def _body(self, response: HTTPResponse) -> bytes:
        length = response.length
        if length is not None and length > self._largest:
            raise TooLarge
        blocks, size = [], 0
        while block := response.read(_BLOCK):
            blocks.append(block)
            size += len(block)
            if size > self._largest:
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
            plain = reading.decompress(body, self._largest + 1)
        except zlib.error:
            raise Broken("the answer is no gzip, though it says so") from None
        if len(plain) > self._largest:
            raise TooLarge
        if not reading.eof:
            raise Broken("the answer ends in the middle of its gzip")
        return plain
