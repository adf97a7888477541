"""Reads addresses such as `s3://bucket/prefix/*.parquet`: which store is meant, and what in it. It connects to nothing."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from headrace.records import record

#: Which kind of connection reaches a scheme, and what stands after it.
SCHEMES: dict[str, tuple[str, str]] = {
    "s3": ("s3", "bucket"), "s3a": ("s3", "bucket"), "gs": ("gcs", "bucket"), "az": ("azure", "container"),
    "http": ("http", "host"), "https": ("http", "host"), "sftp": ("sftp", "host"), "hdfs": ("hdfs", "host"),
    "webhdfs": ("webhdfs", "host"),
}  # fmt: skip

#: Parameters of web addresses that sign them, or let in whoever has them.
_SECRET = re.compile(
    r"(?i)(x-(amz|goog)-|sig=|signature=|awsaccesskeyid=|googleaccessid=|expires=|policy=|key-pair-id=|s[eprvt]=|spr=|"
    r"(\w*[_-])?(token|key|apikey|password|secret|auth|code)=)"
)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,254}")
_LARGEST_KEY = 1024


@record
class Address:
    """A place in a store: the scheme, the bucket, container or host, and the key in it, without a slash at its start."""

    scheme: str
    place: str
    key: str

    @property
    def kind(self) -> str:
        """The kind of connection that leads there."""
        return SCHEMES[self.scheme][0]

    @property
    def store(self) -> str:
        return f"{self.scheme}://{self.place}"

    def __str__(self) -> str:
        return self.of(self.key)

    def of(self, key: str) -> str:
        """The address of another key in the same store, as it may be shown and remembered: without signatures."""
        path, mark, query = key.partition("?")
        if self.kind != "http" or not mark:
            return f"{self.store}/{key}"
        kept = "&".join(part for part in query.split("&") if not _SECRET.match(part))
        return f"{self.store}/{path}" + (f"?{kept}" if kept else "")

    @property
    def has_magic(self) -> bool:
        return any(sign in self.key for sign in "*?[") and self.kind != "http"

    @property
    def folder(self) -> str:
        """The part of a pattern that is no pattern, up to its last slash; of anything else the key as a folder."""
        if not self.has_magic:
            return self.key.rstrip("/")
        start = re.split(r"[*?\[]", self.key, maxsplit=1)[0]
        return start.rpartition("/")[0]


def is_address(path: str) -> bool:
    return _URL.match(path) is not None


def parse(path: str) -> Address:
    """Raises `ValueError` that says what is wrong with it, without any secret that stands in it."""
    scheme = path.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise ValueError(f"there is no store `{scheme}://`; there are {', '.join(f'{s}://' for s in sorted(SCHEMES))}")
    kind, what = SCHEMES[scheme]
    rest = path.partition("://")[2]
    place, _, key = rest.partition("/")
    if "@" in place and (":" in place.rpartition("@")[0] or kind != "sftp"):
        raise ValueError("no user and no password stand in an address: they belong to a connection in headrace.toml")
    if not place:
        raise ValueError(f"it names no {what}: write {scheme}://{what.upper()}/...")
    if what in ("bucket", "container") and not _BUCKET.fullmatch(place):
        raise ValueError(f"`{place}` cannot be the name of a {what}")
    if what == "host":
        _check_host(f"{scheme}://{place}")
    if len(key.encode()) > _LARGEST_KEY and kind != "http":
        raise ValueError(f"its key is longer than {_LARGEST_KEY:,} bytes")
    if kind != "http" and any(part in (".", "..") for part in PurePosixPath(f"/{key}").parts):
        raise ValueError("`.` and `..` mean nothing in a store")
    return Address(scheme, place, key)


def _check_host(url: str) -> None:
    found = urlsplit(url)
    try:
        port = found.port
    except ValueError:
        raise ValueError("its port is no number from 1 to 65535") from None
    if not found.hostname or port == 0:
        raise ValueError("it names no host")
