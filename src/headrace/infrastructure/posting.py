"""Posts a body to an address by HTTP, once, within a time. No redirect is followed, no proxy asked; callers say what an answer means."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult

from headrace.infrastructure.patience import at_most
from headrace.records import record

#: What may go wrong on the way. `ValueError` is of an address that cannot be, and its words would repeat it.
FAILURES = (OSError, HTTPException, ValueError)
#: Refusals that may pass: too slow, misdirected, locked, too early, too many. The server's own faults (5xx) may as well.
_PASSING = frozenset({408, 421, 423, 425, 429})


@record
class Answer:
    """What a server answered: its status, and the text of its `Retry-After`. What else it says is not read."""

    status: int
    after: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status >= 500 or self.status in _PASSING

    def retry_after(self, now: float) -> float | None:
        """How many seconds it asks to wait (RFC 9110, section 10.2.3): it says them, or a date. `now` counts from 1970."""
        text = self.after.strip()
        if text.isascii() and text.isdecimal() and len(text) < 10:
            return float(text)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now)


def target(url: SplitResult) -> str:
    """What stands in the request line."""
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def post(url: SplitResult, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
    """Raises `FAILURES`. `seconds` are for connecting, and again for the whole of sending and answering."""
    connection = _connection(url, seconds)
    try:
        connection.connect()
        with at_most(seconds, lambda: connection.sock):
            connection.request("POST", target(url), body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheader("Retry-After") or "")
    finally:
        connection.close()


def _connection(url: SplitResult, seconds: float) -> HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "http":
        return HTTPConnection(host, url.port, timeout=seconds)
    return HTTPSConnection(host, url.port, timeout=seconds, context=ssl.create_default_context())
