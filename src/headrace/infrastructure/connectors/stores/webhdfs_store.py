"""Files of HDFS by its REST interface (WebHDFS, also that of HttpFS). The name node says where a block lies, and the answer follows it.

API: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.stores import generations
from headrace.infrastructure.connectors.stores.hdfs_words import refusal
from headrace.infrastructure.connectors.stores.http_client import HttpClient, read_all, refused
from headrace.infrastructure.connectors.stores.store import (
    Loaded,
    Stored,
    Unfinished,
    all_of,
    changed,
    cut,
    hidden,
    patiently,
    unfinished,
)
from headrace.infrastructure.connectors.web.trail import led
from headrace.infrastructure.connectors.web.urls import shown_url

_LARGEST = 64 << 20
_MISSING = "FileNotFoundException"


@dataclass
class WebHdfsStore:
    """See `WritableStore`. Keys are paths from the root. `who` are the parameters that say who asks."""

    shown: str
    url: str
    client: HttpClient
    who: Mapping[str, str] = field(default_factory=dict, repr=False)

    def listed(self, folder: str) -> list[Stored]:
        def pages() -> Iterator[list[Stored]]:
            waiting = [folder]
            while waiting:
                here = waiting.pop()
                found = self._ask(here, "LISTSTATUS")
                statuses = found["FileStatuses"]["FileStatus"] if found else []
                named = [(f"{here}/{s['pathSuffix']}".strip("/"), s) for s in statuses if s["pathSuffix"]]
                waiting += [path for path, status in named if status["type"] == "DIRECTORY"]
                yield [_stored(path, status) for path, status in named if status["type"] == "FILE"]

        return all_of(pages)

    def look(self, key: str) -> Stored | None:
        found = self._ask(key, "GETFILESTATUS")
        return _stored(key, found["FileStatus"]) if found and found["FileStatus"]["type"] == "FILE" else None

    def read(self, file: Stored, start: int, size: int) -> bytes:
        name = f"{self.shown}/{file.key}"
        if not size:
            return b""
        with self._asking("GET", file.key, "OPEN", offset=str(start), length=str(size)) as response:
            if response.status == 404:
                raise changed(name)
            if response.status != 200:
                raise self._refused(response, file.key)
            data = read_all(response, name, size)
        now = self.look(file.key)  # nothing in the answer tells which state it is of
        if now is None or now.version != file.version:
            raise changed(name)
        if len(data) != size:
            raise cut(name, len(data), size)
        return data

    def user(self) -> str | None:
        """As whom the server knows us: by whom our home would be."""
        found = patiently(lambda: self._ask("", "GETHOMEDIRECTORY"))
        return str(found["Path"]).rpartition("/")[2] if found else None

    # Writing ---------------------------------------------------------------------------------------------------------

    def upload(self, key: str, path: Path) -> None:
        patiently(lambda: self._put(key, path, overwrite=True))

    def put(self, key: str, data: bytes) -> None:
        patiently(lambda: self._put(key, data, overwrite=True))

    def put_new(self, key: str, data: bytes) -> bool:
        return patiently(lambda: self._put(key, data, overwrite=False))

    def load(self, key: str) -> Loaded | None:
        return generations.load(self, key)

    def swap(self, key: str, data: bytes, token: str | None) -> str | None:
        return generations.swap(self, key, data, token)

    def names(self, folder: str) -> list[str]:
        found = patiently(lambda: self._ask(folder, "LISTSTATUS"))
        return [str(s["pathSuffix"]) for s in found["FileStatuses"]["FileStatus"]] if found else []

    def content(self, key: str) -> bytes | None:
        def found() -> bytes | None:
            with self._asking("GET", key, "OPEN") as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise self._refused(response, key)
                return read_all(response, f"{self.shown}/{key}", _LARGEST)

        return patiently(found)

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            patiently(partial(self._done, "DELETE", key, "DELETE"))

    def unfinished(self, folder: str) -> list[Unfinished]:
        return [half for file in self.listed(folder) if (half := unfinished(file.key))]

    def abort(self, uploads: Iterable[Unfinished]) -> None:
        self.remove(half for _, half in uploads)

    def _put(self, key: str, body: Path | bytes, *, overwrite: bool) -> bool:
        """Put a file there by way of a hidden one: it is written where the name node says, then it gets its name."""
        new = hidden(key)
        where = self._done("PUT", new, "CREATE", overwrite="true", noredirect="true")["Location"]
        there = led(self.url, where, shown_url)
        with self.client.asking("PUT", there, {"Content-Type": "application/octet-stream"}, body) as response:
            if response.status != 201:
                raise self._refused(response, key)
        if overwrite:
            self._done("PUT", new, "RENAME", destination=f"/{key}", renameoptions="OVERWRITE")
            return True
        if self._done("PUT", new, "RENAME", destination=f"/{key}").get("boolean"):
            return True
        self._done("DELETE", new, "DELETE")
        return False

    def _done(self, method: str, key: str, what: str, **more: str) -> dict[str, Any]:
        with self._asking(method, key, what, **more) as response:
            if response.status != 200:
                raise self._refused(response, key)
            return self._told(response, key)

    def _ask(self, key: str, what: str) -> dict[str, Any] | None:
        with self._asking("GET", key, what) as response:
            if response.status == 200:
                return self._told(response, key)
            error = self._refused(response, key)
        if isinstance(error, _Missing):
            return None
        raise error

    def _told(self, response: HTTPResponse, key: str) -> dict[str, Any]:
        name = f"{self.shown}/{key}"
        answer = read_all(response, name, _LARGEST)
        try:
            return dict(json.loads(answer)) if answer else {}
        except ValueError:
            raise RetryableError(
                f"`{name}`: the answer is no JSON", hint="see that the host and port are those of WebHDFS"
            ) from None

    @contextmanager
    def _asking(self, method: str, key: str, what: str, **more: str) -> Iterator[HTTPResponse]:
        query = urlencode({"op": what, **self.who, **more})
        with self.client.asking(method, f"{self.url}/webhdfs/v1/{quote(key)}?{query}") as response:
            yield response

    def _refused(self, response: HTTPResponse, key: str) -> RunError:
        name = f"{self.shown}/{key}"
        try:
            told = json.loads(read_all(response, name, _LARGEST))["RemoteException"]["exception"]
        except (ValueError, KeyError, TypeError):
            return refused(response, name)
        if told == _MISSING:
            return _Missing(f"there is no file `{name}`")
        return refusal(name, told) or refused(response, name)


class _Missing(NonRetryableError):
    """It is not there, which is for the caller to judge."""


def _stored(key: str, status: Mapping[str, Any]) -> Stored:
    size, modified = int(status["length"]), int(status["modificationTime"])
    return Stored(key, size, modified * 10**6, f"{status.get('fileId', 0)}-{size}-{modified}")
