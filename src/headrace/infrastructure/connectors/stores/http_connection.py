"""The connection `http`: credentials and certificates for one web server, which go to no other."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection, certificates
from headrace.infrastructure.connectors.stores.http_client import HttpClient, origin_of, refused
from headrace.infrastructure.connectors.stores.http_files import HttpFiles
from headrace.security.secrets import Secret


class HttpConnection(StoreConnection):
    """A web server that gives files."""

    kind: ClassVar[str] = "http"

    host: Annotated[
        str, Field(min_length=1, description="The server that gets the credentials, with its port unless it is the usual one")
    ] = ""
    user: str | None = Field(None, description="With `password`: basic authentication")
    password: Secret | None = Field(None, description="As ${secret:env/NAME}")
    token: Secret | None = Field(None, description="A bearer token, instead of a user")
    ca: str | None = Field(None, description="A file with the certificates of those who vouch for the server, in PEM")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` belong together")
        if self.user is not None and self.token is not None:
            raise ValueError("give a `token`, or a `user` and a `password`, not both")
        if (self.user or self.token) and not self.host:
            raise ValueError("name the `host` that gets these credentials: no other one will")
        return self

    def shown(self) -> str:
        return f"https://{self.host}"

    def open(self, home: Path, address: Address) -> HttpFiles:
        if self.host and address.place != self.host:
            raise NonRetryableError(
                f"`{address.store}` is not the host of this connection, which is {self.host}",
                hint="name the connection of that host",
            )
        return HttpFiles(address.store, self._client(home, address.store))

    def reach(self, home: Path) -> Answer:
        url = f"{self.shown()}/"
        begun = time.perf_counter()
        with self._client(home, self.shown()).asking("HEAD", url) as response:
            took = (time.perf_counter() - begun) * 1000
            if response.status in (401, 403) or response.status >= 500:
                raise refused(response, url)
            server = response.getheader("Server") or "a web server"
        return Answer(server, self.user, "TLS", verified=True, round_trip_ms=took)

    def _client(self, home: Path, store: str) -> HttpClient:
        secrets = {}
        if self.token is not None:
            secrets["Authorization"] = f"Bearer {self.token.reveal()}"
        if self.user is not None and self.password is not None:
            given = base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()
            secrets["Authorization"] = f"Basic {given}"
        return HttpClient(self.timeout, origin_of(urlsplit(store)), secrets, certificates(home, self.ca))
