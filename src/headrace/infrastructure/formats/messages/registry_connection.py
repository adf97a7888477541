"""The connection `registry`: how a schema registry is reached that speaks Confluent's API. Not what is asked of it."""

from __future__ import annotations

import base64
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Connection
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import at_most, what_broke
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.records import record
from headrace.security.secrets import Secret

#: What it answers may have so many bytes.
_LARGEST = 16 << 20
_TYPE = "application/vnd.schemaregistry.v1+json"


@record
class Reply:
    status: int
    body: bytes
    server: str = ""


class RegistryConnection(Connection):
    """A schema registry: Confluent's, Karapace, Apicurio (by its `ccompat` API), Redpanda's."""

    kind: ClassVar[str] = "registry"

    url: str = Field(description="https://host:port, with a path if it has one; without user and password")
    user: str | None = Field(None, description="As whom we are known")
    password: Secret | None = Field(None, description="As ${secret:env/NAME}")
    token: Secret | None = Field(None, description="A bearer token, as ${secret:env/NAME}, instead of user and password")
    ca: str | None = Field(
        None,
        description="A file with the certificates of those who vouch for the server, in PEM; those of this machine unless said",
    )
    timeout_seconds: float = Field(10.0, gt=0, le=300, description="How long an answer is waited for")

    @model_validator(mode="after")
    def _is_an_address(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("`url` is not the address of a registry: write https://host:port")
        if parts.username is not None:
            raise ValueError("`url` holds a user: name `user` and `password` apart")
        if (self.user is None) != (self.password is None) or (self.token is not None and self.user is not None):
            raise ValueError("give `user` and `password`, or a `token`, or nothing")
        return self

    def shown(self) -> str:
        return self.url

    def reach(self, home: Path) -> Answer:
        took = round_trip_ms(lambda: self.ask(home, "GET", "/subjects"))
        reply = self.ask(home, "GET", "/subjects")
        if reply.status != 200:
            raise NonRetryableError(f"{self.url} answers {reply.status}, as no schema registry does", hint="see its path")
        encrypted = urlsplit(self.url).scheme == "https"
        return Answer(reply.server or "a schema registry", self.user, "TLS" if encrypted else None, encrypted, took)

    def ask(self, home: Path, method: str, path: str, body: bytes | None = None) -> Reply:
        """What it answers. Raises `RetryableError` when it is away or overwhelmed, and `NonRetryableError` when it lets us not in."""
        parts = urlsplit(self.url)
        connection = self._connection(home)
        try:
            with at_most(self.timeout_seconds, lambda: connection.sock):
                connection.request(method, parts.path.rstrip("/") + path, body, self._headers())
                answer = connection.getresponse()
                reply = Reply(answer.status, answer.read(_LARGEST + 1), answer.getheader("Server") or "")
        except ssl.SSLCertVerificationError as error:
            raise NonRetryableError(
                f"the schema registry {self.url} cannot be reached: {what_broke(error)}",
                hint="name those who vouch for it with `ca`",
            ) from None
        except (OSError, HTTPException) as error:
            raise RetryableError(
                f"the schema registry {self.url} cannot be reached: {what_broke(error)}", hint="it is asked again"
            ) from None
        finally:
            connection.close()
        if reply.status >= 500 or reply.status in (408, 429):
            raise RetryableError(f"the schema registry {self.url} answers {reply.status}", hint="it is asked again")
        if reply.status in (401, 403):
            raise NonRetryableError(
                f"the schema registry {self.url} does not let us in ({reply.status})", hint="see `user`, `password` and `token`"
            )
        if len(reply.body) > _LARGEST:
            raise NonRetryableError(f"the schema registry {self.url} answers with more than {_LARGEST:,} bytes")
        return reply

    def _connection(self, home: Path) -> HTTPConnection:
        parts = urlsplit(self.url)
        given: dict[str, Any] = {"timeout": self.timeout_seconds}
        if parts.scheme == "http":
            return HTTPConnection(parts.hostname or "", parts.port, **given)
        try:
            trusted = ssl.create_default_context(cafile=str(home / self.ca) if self.ca else None)
        except (OSError, ssl.SSLError) as error:
            raise NonRetryableError(f"the certificates in `{self.ca}` cannot be read: {error}") from error
        return HTTPSConnection(parts.hostname or "", parts.port, context=trusted, **given)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": f"{_TYPE}, application/json", "Content-Type": _TYPE}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        elif self.user is not None and self.password is not None:
            pair = f"{self.user}:{self.password.reveal()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers
