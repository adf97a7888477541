"""The connection `http`: how an API is reached, for the sources that are told of it by name."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Connection
from headrace.infrastructure.connectors.rest.client import Client
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.infrastructure.connectors.rest.reach import origin_of
from headrace.infrastructure.connectors.rest.reaching import Address, ReachOptions
from headrace.resilience.backoff import RetryPolicy

_LARGEST = 1 << 20


class HttpConnection(Connection, ReachOptions):
    """An API over HTTP: where it is, who we are there, and how often it may be asked."""

    kind: ClassVar[str] = "http"

    base_url: Address = Field(description="What the `path` of a source is put behind: `https://api.example.com/v2`")

    @model_validator(mode="after")
    def _private(self) -> Self:
        self.demand_private(self.base_url)
        return self

    def shown(self) -> str:
        return self.base_url

    @property
    def system(self) -> str:
        """The server, by which all who reach it know it."""
        scheme, host, port = origin_of(urlsplit(self.base_url))
        return f"{scheme}://{host}:{port}"

    def reach(self, home: Path) -> Answer:
        """Asks for the address itself, by GET, once. That there is nothing (404) is an answer as well: the server is there."""
        with closing(Client(self, self.base_url, home, RetryPolicy(attempts=1, budget_seconds=0.0), _LARGEST)) as client:
            begun = time.perf_counter()
            found = client.fetch(Request(self.base_url), lambda response: response, missing=True)
            took = (time.perf_counter() - begun) * 1000
        server = (found.headers.get("server") if found else None) or "an HTTP server"
        tls = found.tls if found else None
        notes = () if found else ("there is nothing at `base_url` itself (404)",)
        user = _who(self)
        return Answer(server, user, tls, tls is not None, took, {}, notes)


def _who(options: ReachOptions) -> str | None:
    """As whom we come, as far as that is no secret."""
    if options.auth is None:
        return None
    if options.auth.basic is not None:
        return options.auth.basic.user
    return options.auth.oauth2.client_id if options.auth.oauth2 is not None else None
