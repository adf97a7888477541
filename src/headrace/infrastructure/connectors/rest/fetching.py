"""Reads the answers of an API as pages of records. Not how pages follow one another (see `turning`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from headrace.business.fetched import Wanted
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.rest.asking import Asking
from headrace.infrastructure.connectors.rest.client import Client
from headrace.infrastructure.connectors.rest.exchange import Request, Response
from headrace.infrastructure.connectors.rest.pages import Pages
from headrace.infrastructure.connectors.rest.reaching import ReachOptions
from headrace.infrastructure.connectors.rest.turning import Turned, turn
from headrace.infrastructure.formats.json_page import NoPage, names_in, page_of
from headrace.infrastructure.formats.json_path import Parts
from headrace.records import record


@record
class Reading:
    """What is to be read, of whom, and how."""

    options: ReachOptions
    home: Path
    asking: Asking
    path: Parts
    written_path: str
    pages: Pages | None
    largest: int

    def turned(self, wanted: Wanted) -> Iterator[Turned]:
        """Every page, in order. Leaving the generator lets go of all connections."""
        with closing(Client(self.options, self.asking.url, self.home, wanted.retry, self.largest)) as client:

            def fetch(request: Request, or_none: bool) -> Turned | None:
                label = f"{client.shown(request.url)} (page {request.page})"
                return client.fetch(request, lambda response: self._page(request, label, response), missing=or_none)

            yield from turn(self.asking, self.pages, fetch)

    def _page(self, request: Request, label: str, response: Response) -> Turned:
        """Raises `RetryableError` for what is not JSON: it may have been damaged on its way, and is asked for again."""
        try:
            text = response.text
            page = page_of(text, self.path) if text.strip() else None
        except (NoPage, ValueError) as error:
            if response.body.lstrip()[:1] == b"<":
                raise NonRetryableError(
                    f"{label}: its answer is a page for people, not JSON", hint="see that the address is that of the API"
                ) from None
            why = error if isinstance(error, NoPage) else "it is not text in its character set"
            raise RetryableError(f"{label}: {why}", hint="if it stays so, see what the server answers") from None
        if page is None:
            raise RetryableError(f"{label}: its answer is empty", hint="if it stays so, see that the address is right")
        if page.records is None:
            known = ", ".join(f"`{name}`" for name in names_in(page.around)[:10])
            raise NonRetryableError(
                f"{label}: there are no records at `{self.written_path}`",
                hint=f"set `records`; its answer has {known}"
                if known
                else "set `records` to where they are; `$` is the whole answer",
            )
        return Turned(request, label, page.records, page.around, response.headers)
