"""The connection `http`: one server that gives records or files, who we are there, and how often it may be asked."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.rest.client import Client
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.infrastructure.connectors.rest.reaching import Address as Url
from headrace.infrastructure.connectors.rest.reaching import ReachOptions
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.http_client import HttpClient
from headrace.infrastructure.connectors.stores.http_files import HttpFiles
from headrace.infrastructure.connectors.web.trust import trust
from headrace.infrastructure.connectors.web.urls import origin_of
from headrace.resilience.backoff import RetryPolicy

#: An answer that is only asked for to see that it comes.
_LARGEST = 64 << 20
_ONCE = RetryPolicy(attempts=1, budget_seconds=0.0)


class HttpConnection(StoreConnection, ReachOptions):
    """An HTTP server. Credentials and headers go to it and to no other."""

    kind: ClassVar[str] = "http"

    base_url: Url | None = Field(
        None, description="The server, `https://api.example.com/v2`: the `path` of a source `http` is put behind it"
    )

    @model_validator(mode="after")
    def _private(self) -> Self:
        if self.base_url is not None:
            self.demand_private(self.base_url)
        elif self.auth is not None or self.headers:
            raise ValueError("name the server that gets these credentials and headers as `base_url`: no other one will")
        return self

    def shown(self) -> str:
        return self.base_url or "any server"

    def reach(self, home: Path) -> Answer:
        """Asks for the address itself, by GET, once. That there is nothing (404) is an answer as well: the server is there."""
        if self.base_url is None:
            raise NonRetryableError("this connection names no server", hint='write `base_url = "https://..."`')
        with closing(Client(self, self.base_url, home, _ONCE, _LARGEST)) as client:
            begun = time.perf_counter()
            found = client.fetch(Request(self.base_url), lambda response: response, missing=True)
            took = (time.perf_counter() - begun) * 1000
            tls = client.tls
        server = (found.headers.get("server") if found else None) or "an HTTP server"
        notes = () if found else ("there is nothing at `base_url` itself (404)",)
        return Answer(server, _who(self), tls, verified=tls is not None, round_trip_ms=took, notes=notes)

    def open(self, home: Path, address: Address) -> HttpFiles:
        if self.base_url is not None and origin_of(urlsplit(address.store)) != origin_of(urlsplit(self.base_url)):
            raise NonRetryableError(
                f"`{address.store}` is not the server of this connection, which is at {self.base_url}",
                hint="name the connection of that server",
            )
        headers = self._headers(home) if self.base_url is not None else {}
        client = HttpClient(self.timeout, address.store, headers, lambda: trust(home, self.ca))
        return HttpFiles(address.store, client)

    def _headers(self, home: Path) -> dict[str, str]:
        """What goes along with each request for a file. A token of OAuth 2 is fetched for the reading."""
        given = {name: value.reveal() for name, value in self.headers.items()}
        if self.auth is None:
            return given
        if self.auth.query():
            raise NonRetryableError(
                "files are not asked for with a key in the query", hint="give the key in a header: `api_key = {header = ...}`"
            )
        with closing(Client(self, str(self.base_url), home, _ONCE, _LARGEST)) as client:
            return {**given, **self.auth.headers(client.token())}


def _who(options: ReachOptions) -> str | None:
    """As whom we come, as far as that is no secret."""
    if options.auth is None:
        return None
    if options.auth.basic is not None:
        return options.auth.basic.user
    return options.auth.oauth2.client_id if options.auth.oauth2 is not None else None
