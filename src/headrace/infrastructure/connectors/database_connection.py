"""What connections to database servers have in common, and what is told of one by address or by name. Not what a server speaks."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.plugin import Plugin
from headrace.infrastructure.tls import TlsOptions
from headrace.security.secrets import Secret

CONNECT_SECONDS = 15
_PARTS = ("host", "port", "user", "password", "database")


class DatabaseConnection(TlsOptions):
    """A database of a server: by `url`, or by its parts."""

    url: Secret | None = None
    host: str | None = Field(None, description="Its name or address; a path for a socket there")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    user: str | None = None
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    database: str | None = None
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")

    @model_validator(mode="after")
    def _by_address_or_parts(self) -> Self:
        parts = [name for name in _PARTS if getattr(self, name) is not None]
        if self.url is not None and parts:
            raise ValueError(f"give either `url` or its parts, not `url` and `{parts[0]}`")
        if self.url is None and self.host is None:
            raise ValueError("give `host`, or the whole address as `url`")
        return self

    @property
    @abstractmethod
    def system(self) -> str:
        """The server, by which all who reach it know it: without user, password and database."""


class ReachedDatabase(Plugin):
    """What reaches a database by its address, or by a connection. A kind of database says which connections it takes."""

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
