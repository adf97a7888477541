"""Finds and aborts uploads in parts that died, which S3 keeps unseen and charges for. The requests that obstore has no call for.

Signed by AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPResponse
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from headrace.infrastructure.connectors.stores.http_client import HttpClient, read_all, refused
from headrace.records import record

_EMPTY = hashlib.sha256(b"").hexdigest()
_LARGEST = 8 << 20


@record
class Keys:
    """What requests are signed with."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str


@dataclass(frozen=True)
class S3Uploads:
    """The uploads in parts of one bucket, whose address is `url`."""

    url: str
    keys: Keys
    client: HttpClient

    def unfinished(self, folder: str) -> list[tuple[str, str]]:
        """The key and the number of each upload below a folder that was begun and not ended; the first thousand."""
        query = {"prefix": f"{folder}/", "uploads": ""}
        with self._asking("GET", "", query) as response:
            if response.status != 200:
                raise refused(response, self.url)
            found = ElementTree.fromstring(read_all(response, self.url, _LARGEST))  # noqa: S314 - of the store that is written to
        return [(_text(upload, "Key"), _text(upload, "UploadId")) for upload in found.iter() if upload.tag.endswith("}Upload")]

    def abort(self, uploads: Iterable[tuple[str, str]]) -> None:
        for key, number in uploads:
            with self._asking("DELETE", key, {"uploadId": number}) as response:
                if response.status not in (200, 204, 404):
                    raise refused(response, f"{self.url}/{key}")

    def _asking(self, method: str, key: str, query: Mapping[str, str]) -> AbstractContextManager[HTTPResponse]:
        path = urlsplit(self.url).path.rstrip("/") + (f"/{quote(key)}" if key else "/")
        written = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))
        parts = urlsplit(self.url)
        headers = signed(method, parts.netloc, path, written, self.keys, datetime.now(UTC))
        return self.client.asking(method, f"{parts.scheme}://{parts.netloc}{path}?{written}", headers)


def signed(method: str, host: str, path: str, query: str, keys: Keys, now: datetime) -> dict[str, str]:
    """The headers that sign a request without a body. `path` and `query` are encoded already, the query sorted."""
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": _EMPTY, "x-amz-date": at}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"{method}\n{path}\n{query}\n{listed}\n{names}\n{_EMPTY}"
    scope = f"{day}/{keys.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in (day, keys.region, "s3", "aws4_request"):
        key = _mac(key, part)
    signature = _mac(key, text).hex()
    credential = f"{keys.access}/{scope}"
    return {
        **{name: value for name, value in headers.items() if name != "host"},
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _text(element: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in element if child.tag.endswith(f"}}{name}")), "")
