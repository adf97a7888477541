"""Makes the requests of a source: its address, parameters and body, with those of the page and of the increment put in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.infrastructure.connectors.rest.pages import Place
from headrace.infrastructure.formats.json_path import parts_of, put
from headrace.records import record


@record
class Asking:
    """What every request of a reading has in common."""

    url: str
    method: str
    params: Mapping[str, Any]
    body: Any = None

    def with_param(self, name: str, value: Any, place: Place) -> Asking:
        """The same with one parameter more, or another value of it. Raises `NonRetryableError` where the body has no room for it."""
        if place == "query":
            return Asking(self.url, self.method, {**self.params, name: value}, self.body)
        try:
            body = put(self.body, parts_of(name), value)
        except ValueError as error:
            raise NonRetryableError(f"`{name}` cannot be put into `body`: {error}") from None
        return Asking(self.url, self.method, self.params, body)

    def request(self, page: int) -> Request:
        query = urlencode([pair for name, value in self.params.items() for pair in _pairs(name, value)])
        url = self.url + (("&" if "?" in self.url else "?") + query if query else "")
        body = None if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()
        return Request(url, self.method, {}, body, page)


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """A list is a parameter that is repeated; nothing is given of null."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [pair for item in value for pair in _pairs(name, item)]
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    return [(name, json.dumps(value) if isinstance(value, Mapping) else str(value))]
