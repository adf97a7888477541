"""Turns the pages of an API, whatever its way, to an end that is certain: every page once and in order, or an error that says why not.

No server can keep us for ever: a page, cursor or link that comes a second time is an error, and so are more pages than `most`.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from typing import Any
from urllib.parse import urljoin

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.rest.asking import Asking
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.infrastructure.connectors.rest.pages import ByCursor, ByNumber, ByOffset, Pages
from headrace.infrastructure.formats.json_page import found
from headrace.infrastructure.formats.json_path import MISSING, get, parts_of
from headrace.records import record

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]*))", re.IGNORECASE)


@record
class Turned:
    """A page that was read: its request, its records as lines of JSON, what stood around them, and the headers of the answer."""

    request: Request
    label: str
    records: tuple[str, ...]
    around: Any
    headers: Any


#: Fetches a page. With `or_none`, a page that is not found (404) is None.
Fetch = Callable[[Request, bool], Turned | None]


def turn(asking: Asking, pages: Pages | None, fetch: Fetch) -> Iterator[Turned]:
    """The pages, from the first to the last. Raises `NonRetryableError` when there is no end to them."""
    if pages is None:
        yield _only(_fetched(fetch, asking.request(1)))
        return
    for count, page in enumerate(_pages(asking, pages, fetch), 1):
        if count > pages.most:
            raise NonRetryableError(
                f"{page.label}: there are more than {pages.most:,} pages",
                hint="if there really are so many, raise `most`; else see that the pages have an end",
            )
        yield page


def _pages(asking: Asking, pages: Pages, fetch: Fetch) -> Iterator[Turned]:
    counted = pages.number or pages.offset
    if counted is not None:
        return _Counted(asking, counted, fetch).pages()
    if pages.cursor is not None:
        return _by_cursor(asking, pages.cursor, fetch)
    path = parts_of(pages.next.path) if pages.next else None
    return _by_address(asking, fetch, path)


def _fetched(fetch: Fetch, request: Request) -> Turned:
    page = fetch(request, False)
    if page is None:
        raise NonRetryableError(f"page {request.page} was not found")
    return page


def _only(page: Turned) -> Turned:
    """A page that has no successor, as far as it says."""
    if next_link(page.headers.get("link", "")):
        raise NonRetryableError(f"{page.label}: there are more pages, its header `Link` says", hint="write `pages: link`")
    return page


# Cursors and links ---------------------------------------------------------------------------------------------------


def _by_cursor(asking: Asking, way: ByCursor, fetch: Fetch) -> Iterator[Turned]:
    path, seen, number = parts_of(way.path), _Seen(), 1
    while True:
        page = _fetched(fetch, asking.request(number))
        yield page
        if way.more is not None and get(page.around, parts_of(way.more)) in (False, None, MISSING):
            return
        cursor = _followed(page, path)
        if cursor is None:
            return
        seen.demand_new(str(cursor), page, "cursor")
        asking = asking.with_param(way.param, cursor, way.in_)
        number += 1


def _by_address(asking: Asking, fetch: Fetch, path: tuple[str | int, ...] | None) -> Iterator[Turned]:
    request, seen = asking.request(1), _Seen()
    seen.demand_new(request.url, None, "address")
    while True:
        page = _fetched(fetch, request)
        yield page
        place = next_link(page.headers.get("link", "")) if path is None else _followed(page, path)
        if place is None:
            return
        if not isinstance(place, str):
            raise NonRetryableError(f"{page.label}: the address of the next page is no text", hint="is `path` right?")
        url = urljoin(request.url, place).partition("#")[0]
        if not url.startswith(("http://", "https://")):
            raise NonRetryableError(f"{page.label}: the next page is at no address of http")
        seen.demand_new(url, page, "address")
        request = Request(url, request.method, {}, request.body, request.page + 1)


def _followed(page: Turned, path: tuple[str | int, ...]) -> Any:
    """What the path leads to; None at the end. Where not even the way there exists, the path is wrong, which must not pass for the end."""
    value = get(page.around, path)
    if value is MISSING and len(path) > 1 and get(page.around, path[:-1]) is MISSING:
        raise NonRetryableError(
            f"{page.label}: its answer has no `{path[0]}` with what leads to the next page", hint="see that `path` is right"
        )
    return value if found(value) and value is not False else None


def next_link(header: str) -> str | None:
    """The target of `rel="next"` in the header `Link`."""
    for target, params in _LINK.findall(header):
        rel = _REL.search(params)
        if rel and "next" in (rel[1] or rel[2]).lower().split():
            return str(target)
    return None


class _Seen:
    """What led to pages before, as short digests."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def demand_new(self, what: str, page: Turned | None, called: str) -> None:
        digest = hashlib.blake2b(what.encode(), digest_size=12).digest()
        if digest in self._digests and page is not None:
            raise NonRetryableError(
                f"{page.label}: it leads to a {called} that was there before, so the pages go round in a circle",
                hint="see that the server takes the parameter that leads to the next page",
            )
        self._digests.add(digest)


# Numbers and offsets -------------------------------------------------------------------------------------------------


class _Counted:
    """Pages by number or offset. What is known of their number is used to ask for some of them ahead; what comes is what counts."""

    def __init__(self, asking: Asking, way: ByNumber | ByOffset, fetch: Fetch) -> None:
        self.asking, self.way, self.fetch = asking, way, fetch
        self.number = self.records = self.step = 0
        self.total: int | None = None
        self.last: int | None = None
        """The number of pages, where that is known."""
        self.ahead: deque[tuple[int, Future[Turned | None]]] = deque()

    def pages(self) -> Iterator[Turned]:
        executor = ThreadPoolExecutor(self.way.parallel, "headrace-page") if self.way.parallel > 1 else None
        before: Turned | None = None
        try:
            while (page := self._next(executor)) is not None:
                self._learn(page)
                if not page.records:
                    break
                if before is not None and page.records == before.records:
                    # With a total, records that moved while they were read look alike as well.
                    kind = NonRetryableError if self.total is None else RetryableError
                    raise kind(
                        f"{page.label}: it is the same as the page before",
                        hint=f"see that the server takes `{self.way.param}`; if it repeats its last page, name `total` or `total_pages`",
                    )
                yield page
                self.number += 1
                self.records += len(page.records)
                if self._is_last(page):
                    break
                before = page
            if self.total is not None and self.records < self.total:
                raise RetryableError(
                    f"{self.records:,} records came, and there should be {self.total:,}: they changed while they were read",
                    hint="run again; where that does not help, sort by what does not change, or read by a cursor",
                )
        finally:
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)

    def _next(self, executor: ThreadPoolExecutor | None) -> Turned | None:
        """The page whose turn it is, and beyond it, as many as may be asked for ahead."""
        known = min(self.last or 0, self.number + self.way.parallel)
        begun = self.ahead[-1][0] + 1 if self.ahead else self.number
        for number in range(begun, known) if executor is not None else ():
            self.ahead.append((number, executor.submit(self.fetch, self._request(number, number * self.step), False)))  # type: ignore[union-attr]
        if self.ahead:
            return self.ahead.popleft()[1].result()
        return self.fetch(self._request(self.number, self.records), self.way.ends == "not_found" and self.number > 0)

    def _request(self, number: int, offset: int) -> Request:
        way = self.way
        if isinstance(way, ByOffset):
            asking = self.asking.with_param(way.param, offset, way.in_).with_param(way.limit_param, way.limit, way.in_)
        else:
            asking = self.asking.with_param(way.param, way.first + number, way.in_)
            if way.size_param is not None:
                asking = asking.with_param(way.size_param, way.size, way.in_)
        return asking.request(number + 1)

    def _learn(self, page: Turned) -> None:
        """How many there are: the latest word counts, because records may be added meanwhile."""
        way = self.way
        if way.total is not None:
            self.total = _count(page, get(page.around, parts_of(way.total)), "total")
        elif way.total_header is not None:
            self.total = _count(page, page.headers.get(way.total_header.lower(), MISSING), "total_header")
        self.step = self.step or len(page.records)
        if isinstance(way, ByNumber) and way.total_pages is not None:
            self.last = _count(page, get(page.around, parts_of(way.total_pages)), "total_pages")
        elif self.total is not None and self.step:
            self.last = ceil(self.total / self.step)

    def _is_last(self, page: Turned) -> bool:
        if self.total is not None:
            return self.records >= self.total
        if self.last is not None:
            return self.number >= self.last
        return self.way.ends == "short" and (len(page.records) < self.step or len(page.records) < self._asked_for())

    def _asked_for(self) -> int:
        return self.way.limit if isinstance(self.way, ByOffset) else self.way.size or 0


def _count(page: Turned, value: Any, option: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool):
        raise NonRetryableError(
            f"{page.label}: there is no number where `{option}` leads", hint=f"see that `{option}` is right"
        )
    return number
