"""Where one request is led to by redirects: within HTTP, not off encryption, with credentials for its own host alone, and to an end.

Not to which machines it may lead: that is judged by the address that is connected to (see `reach`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit

from headrace.business.model.wording import Misworded
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.web.connections import Request
from headrace.infrastructure.connectors.web.urls import is_home, is_loopback, origin_of, parsed

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST = 5
_HINT = "if that place is right, write it in the definition"


class Trail:
    """`request` is what is to be asked next, and `is_home` whether it may take along what is secret between `home` and us: once it has
    led elsewhere it may not, even if it comes back. `shown` makes an address fit to be seen."""

    def __init__(self, request: Request, home: SplitResult, shown: Callable[[str], str]) -> None:
        self.request, self.is_home = request, origin_of(request.parts) == origin_of(home)
        self._home, self._shown, self._left = home, shown, _MOST

    def leads_on(self, status: int, location: str | None) -> bool:
        """Whether an answer leads on; `request` is then what it leads to. Raises `NonRetryableError` where it may not."""
        if status not in _REDIRECTS or not location:
            return False
        if not self._left:
            raise NonRetryableError(
                f"{self._shown(self.request.url)} leads on and on: {_MOST} redirects", hint="ask where it leads to in the end"
            )
        self._left -= 1
        self.request = self._led(led(self.request.url, location, self._shown), status)
        self.is_home = self.is_home and is_home(self.request.parts, self._home)
        return True

    def _led(self, url: str, status: int) -> Request:
        request = self.request
        if status == 303 or (status in (301, 302) and request.method == "POST"):
            return replace(request, url=url, method="GET", body=None)
        if request.body is not None and not is_home(urlsplit(url), request.parts):
            raise NonRetryableError(
                f"{self._shown(request.url)} redirects what was posted to `{urlsplit(url).hostname}`: not followed",
                hint="write the address that it leads to",
            )
        return replace(request, url=url)


def led(url: str, location: str, shown: Callable[[str], str]) -> str:
    """The address that an answer of `url` leads to. Raises `NonRetryableError` for one that is not followed from there."""
    there = urljoin(url, location).partition("#")[0]
    try:
        parts = parsed(there)
    except Misworded:
        raise NonRetryableError(f"{shown(url)} leads to what is no address of http: not followed", hint=_HINT) from None
    if urlsplit(url).scheme == "https" and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise NonRetryableError(
            f"{shown(url)} leads to {parts.hostname} without encryption: not followed", hint="ask its owner for https"
        )
    return there
