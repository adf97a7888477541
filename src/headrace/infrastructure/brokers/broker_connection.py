"""What connections to brokers have in common: an address by `url` or by its parts, credentials, and TLS. Not what a broker speaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.plugin import Plugin
from headrace.errors import NonRetryableError
from headrace.infrastructure.tls import Tls, TlsOptions
from headrace.records import record
from headrace.security.secrets import Secret

CONNECT_SECONDS = 15


@record
class Scheme:
    """What the beginning of an address says: the port unless one is written, and whether it is encrypted."""

    port: int
    encrypted: bool


@record
class Address:
    """Where a broker is, and as whom to go there."""

    host: str
    port: int
    user: str | None
    password: str | None
    path: str
    encrypted: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class BrokerConnection(TlsOptions):
    """A broker: by `url`, or by its parts."""

    schemes: ClassVar[Mapping[str, Scheme]]
    """By the beginning of an address; the first is that of parts without TLS, the second with it."""
    upgrades: ClassVar[bool] = False
    """Whether one port speaks with TLS and without, so that `tls: prefer` means something."""

    url: Secret | None = None
    host: str | None = Field(None, description="Its name or address")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    user: str | None = None
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")

    @model_validator(mode="after")
    def _by_address_or_parts(self) -> Self:
        parts = [name for name in ("host", "port", "user", "password") if getattr(self, name) is not None]
        if self.url is not None and parts:
            raise ValueError(f"give either `url` or its parts, not `url` and `{parts[0]}`")
        if self.url is None and self.host is None:
            raise ValueError("give `host`, or the whole address as `url`")
        if self.tls == "prefer" and not self.upgrades:
            raise ValueError("a port of this broker speaks TLS or does not: say `tls: off`, or how much of it is demanded")
        return self

    @property
    def tls_mode(self) -> Tls:
        if self.tls is not None:
            return self.tls
        if self.ca is not None or self.address.encrypted:
            return "verify-full"
        return "prefer" if self.upgrades else "off"

    @property
    def address(self) -> Address:
        """The first address. Raises `NonRetryableError` when `url` is none."""
        return self.addresses[0]

    @property
    def addresses(self) -> list[Address]:
        """All addresses of a cluster, which `url` gives with commas between."""
        plain, secure = list(self.schemes.values())[:2]
        if self.url is None:
            encrypted = self.ca is not None or self.tls not in (None, "off", "prefer")
            port = self.port or (secure if encrypted else plain).port
            password = self.password.reveal() if self.password else None
            return [Address(str(self.host), port, self.user, password, "", encrypted)]
        return [self._parsed(one.strip()) for one in self.url.reveal().split(",")]

    def _parsed(self, url: str) -> Address:
        wrong = NonRetryableError(
            f"`url` is not the address of a broker of kind `{self.kind}`", hint=f"write it as {self.written_as()}"
        )
        try:
            found = urlsplit(url)
            scheme = self.schemes[found.scheme]
            port = found.port or scheme.port
        except (ValueError, KeyError):
            raise wrong from None
        if not found.hostname or found.query:
            raise wrong
        user, password = (unquote(part) if part else None for part in (found.username, found.password))
        return Address(found.hostname, port, user, password, unquote(found.path.lstrip("/")), scheme.encrypted)

    @classmethod
    def written_as(cls) -> str:
        return f"{next(iter(cls.schemes))}://user@host:port, with the password as ${{secret:env/NAME}}"

    def shown(self) -> str:
        try:
            scheme = next(name for name, one in self.schemes.items() if one.encrypted == self.address.encrypted)
            return ",".join(f"{scheme}://{address}" for address in self.addresses)
        except NonRetryableError:
            return str(self.url or self.host)


class ReachedBroker(Plugin):
    """What reaches a broker by its address, or by a connection. A kind of broker says which connections it takes."""

    url: Secret | None = None
    connection: Profile[Any] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either `connection` or `url`" + ("" if self.url is None else ", not both"))
        return self

    @property
    def home(self) -> Path:
        """The folder that the files of the connection are meant from."""
        return self.connection.home if self.connection else Path()
