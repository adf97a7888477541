"""How an API is reached, as options: those of a connection of kind `http`, and of a source that names none. Not what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from headrace.business.model.plugin import Plugin
from headrace.business.model.wording import Misworded
from headrace.infrastructure.connectors.rest.authentication import Authentication
from headrace.infrastructure.connectors.rest.pace import Rate
from headrace.infrastructure.connectors.web.urls import is_loopback, parsed
from headrace.security.secrets import Secret

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _address(url: str) -> str:
    parsed(url)
    return url


Address = Annotated[str, AfterValidator(_address)]


def _names(headers: Mapping[str, Secret]) -> Mapping[str, Secret]:
    for name in headers:
        if not name or not set(name.lower()) <= _TOKEN:
            raise Misworded(f"`{name}` cannot be the name of a header", "letters, digits and `-`")
        if name.lower() in ("host", "content-length", "transfer-encoding", "connection", "accept-encoding"):
            raise Misworded(f"the header `{name}` is not for the definition to set", "leave it out")
    return headers


Headers = Annotated[Mapping[str, Secret], AfterValidator(_names)]


class ReachOptions(Plugin):
    """Options of whatever reaches an API."""

    auth: Authentication | None = Field(None, description="Who we say that we are; nobody when left out")
    headers: Headers = Field(
        default_factory=dict, description="Headers to send along; secrets as ${secret:env/NAME}", examples=[{"Accept": "x"}]
    )
    rate: Rate | None = Field(
        None,
        description="How often to ask at most, such as `5 per second`; what the server says of its limits is kept in any case",
    )
    ca: str | None = Field(
        None, description="A file with the certificates of those who vouch for the server, in PEM; the system's when left out"
    )
    timeout: Annotated[float, Field(ge=1, le=3600)] = Field(
        60.0, description="How many seconds to wait for a connection, and again for the whole of an answer"
    )
    plain_http: bool = Field(False, description="Whether secrets may go over `http://`, which anybody on the way can read")

    def demand_private(self, *urls: str) -> None:
        """Refuse to send secrets where they can be read on the way. Raises `Misworded`."""
        secret = self.auth is not None or any(value.reference for value in self.headers.values())
        if self.auth is not None and self.auth.oauth2 is not None:
            urls = (*urls, self.auth.oauth2.token_url)
        for url in urls:
            parts = parsed(url)
            if secret and parts.scheme == "http" and not self.plain_http and not is_loopback(parts.hostname or ""):
                raise Misworded(
                    f"secrets would go to `{parts.hostname}` over plain http, where anybody on the way can read them",
                    "write `https://`, or say `plain_http: true`",
                )


class WithUrl(ReachOptions):
    """What reaches an API at an address of its own."""

    url: Address

    @model_validator(mode="after")
    def _private(self) -> Self:
        self.demand_private(self.url)
        return self
