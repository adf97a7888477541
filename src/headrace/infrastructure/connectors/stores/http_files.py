"""Files of web servers, one by one: nobody lists them. Read by ranges where the server gives them, and else kept whole."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import BinaryIO

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.http_client import HttpClient, read_all, refused
from headrace.infrastructure.connectors.stores.store import Stored, changed, cut
from headrace.infrastructure.connectors.web.urls import shown_url

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_BLOCK = 1 << 20


@dataclass
class HttpFiles:
    """See `Store`. A file of which the server gives no ranges, or nothing that tells its states apart, is read once and kept
    in a file without a name, which goes with this process."""

    shown: str
    client: HttpClient
    _kept: dict[str, BinaryIO] = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __del__(self) -> None:
        for kept in self._kept.values():
            kept.close()

    def listed(self, folder: str) -> Iterable[Stored]:
        raise NonRetryableError(
            f"`{self.shown}/{folder}` is no file, and web servers do not list what they have", hint="name each file in `path`"
        )

    def look(self, key: str) -> Stored | None:
        shown = shown_url(self._url(key))
        with self.client.asking("GET", self._url(key), {"Range": "bytes=0-0"}) as response:
            version = _version(response)
            if response.status == 206 and version:
                read_all(response, shown, 1)
                found = _RANGE.fullmatch(response.getheader("Content-Range") or "")
                if found is None:
                    raise NonRetryableError(
                        f"`{shown}`: the server gives ranges without saying which", hint="fetch it by other means"
                    )
                return Stored(key, int(found[3]), _modified(response), version)
            if response.status in (404, 410):
                raise refused(response, shown)
            if response.status not in (200, 206, 416):
                raise refused(response, shown)
            if response.status == 200:
                return self._keep(key, response, version)
        with self.client.asking("GET", self._url(key)) as response:  # empty, or without anything to know its state by
            if response.status != 200:
                raise refused(response, shown)
            return self._keep(key, response, _version(response))

    def read(self, file: Stored, start: int, size: int) -> bytes:
        name = shown_url(self._url(file.key))
        if (kept := self._kept.get(file.key)) is not None:
            with self._guard:
                kept.seek(start)
                return kept.read(size)
        if not size:
            return b""
        headers = {"Range": f"bytes={start}-{start + size - 1}", **_condition(file.version)}
        with self.client.asking("GET", self._url(file.key), headers) as response:
            if response.status in (200, 412, 404, 410, 416):
                raise changed(name)
            if response.status != 206:
                raise refused(response, name)
            found = _RANGE.fullmatch(response.getheader("Content-Range") or "")
            if _version(response) != file.version or (found and int(found[3]) != file.bytes):
                raise changed(name)
            data = read_all(response, name, size)
        if len(data) != size or found is None or int(found[1]) != start:
            raise cut(name, len(data), size)
        return data

    def _keep(self, key: str, response: HTTPResponse, version: str | None) -> Stored:
        with ExitStack() as unless_whole:
            kept = unless_whole.enter_context(tempfile.TemporaryFile())
            digest, size, length = hashlib.sha256(), 0, response.length
            while block := response.read(_BLOCK):
                kept.write(block)
                digest.update(block)
                size += len(block)
            if length is not None and length != size:
                raise cut(shown_url(self._url(key)), size, length)
            unless_whole.pop_all()  # it is closed with this object
        self._kept[key] = kept
        return Stored(key, size, _modified(response), version or digest.hexdigest())

    def _url(self, key: str) -> str:
        return f"{self.shown}/{key}"


def _version(response: HTTPResponse) -> str | None:
    return response.getheader("ETag") or response.getheader("Last-Modified")


def _condition(version: str | None) -> dict[str, str]:
    """What keeps a server from answering with another state. A weak tag cannot be asked for; answers are held against it."""
    if version is None or version.startswith("W/"):
        return {}
    return {"If-Match": version} if version.startswith('"') else {"If-Unmodified-Since": version}


def _modified(response: HTTPResponse) -> int:
    try:
        return int(parsedate_to_datetime(response.getheader("Last-Modified") or "").timestamp()) * 10**9
    except ValueError:
        return 0
