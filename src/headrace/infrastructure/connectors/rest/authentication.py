"""The ways of saying who we are, as options and as what they add to a request. Secrets are read when a request is signed, and kept nowhere.

Tokens that are fetched first are another matter (see `tokens`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from headrace.business.model.part import Model
from headrace.business.model.wording import Misworded
from headrace.errors import NonRetryableError
from headrace.security.secrets import Secret


def _referred(secret: Secret) -> Secret:
    if secret.reference is None:
        raise Misworded("a secret does not stand in a definition", "refer to it: `${secret:env/NAME}` or `${secret:file/NAME}`")
    return secret


#: A secret that is referred to, never written out.
Reference = Annotated[Secret, AfterValidator(_referred)]


class Basic(Model):
    """A name and a password, by RFC 7617."""

    user: str = Field(description="The name")
    password: Reference = Field(description="A reference to it")


class ApiKey(Model):
    """A key in a header, or in a parameter of the query."""

    header: str | None = Field(None, description="The name of the header", examples=["X-Api-Key"])
    query: str | None = Field(None, description="The name of the parameter; a header is safer where the server takes one")
    value: Reference = Field(description="A reference to the key")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.query is None):
            raise ValueError("a key goes into a `header` or into the `query`: name one of them")
        return self


class ClientCredentials(Model):
    """A token by the client credentials of OAuth 2 (RFC 6749, section 4.4), fetched anew when it expires or is refused."""

    token_url: str = Field(description="Where tokens are fetched")
    client_id: str = Field(description="Who asks")
    client_secret: Reference = Field(description="A reference to the secret of who asks")
    scope: str | None = Field(None, description="What is asked for, parted by spaces")
    audience: str | None = Field(None, description="Whom the token is for, where the server asks for that")
    credentials: Literal["header", "body"] = Field("header", description="Where id and secret go: by Basic, or in the form")


class Authentication(Model):
    """Who we say that we are: one of these ways."""

    bearer: Reference | None = Field(None, description="A token, sent as `Authorization: Bearer ...`")
    basic: Basic | None = Field(None, description="A name and a password")
    api_key: ApiKey | None = Field(None, description="A key in a header or in the query")
    oauth2: ClientCredentials | None = Field(None, description="A token that is fetched with a client's id and secret")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of `bearer`, `basic`, `api_key`, `oauth2`" + (f", not {len(given)}" if given else ""))
        return self

    def headers(self, token: str | None) -> Mapping[str, str]:
        """What goes into the headers; `token` is the one that `oauth2` fetched."""
        if self.bearer is not None:
            return {"Authorization": f"Bearer {sendable('bearer', self.bearer.reveal())}"}
        if self.basic is not None:
            return {"Authorization": basic(self.basic.user, self.basic.password.reveal())}
        if self.api_key is not None and self.api_key.header is not None:
            return {self.api_key.header: sendable("api_key", self.api_key.value.reveal())}
        return {"Authorization": f"Bearer {sendable('oauth2', token)}"} if token is not None else {}

    def query(self) -> str:
        """What is added to the query, encoded; empty for nothing."""
        if self.api_key is None or self.api_key.query is None:
            return ""
        return f"{quote(self.api_key.query, safe='')}={quote(self.api_key.value.reveal(), safe='')}"

    def revealed(self) -> tuple[str, ...]:
        """The secrets as they are now, so that they can be taken out of what a server says. Do not keep them."""
        secrets = (
            self.bearer,
            self.basic.password if self.basic else None,
            self.api_key.value if self.api_key else None,
            self.oauth2.client_secret if self.oauth2 else None,
        )
        return tuple(secret.reveal() for secret in secrets if secret is not None)


def basic(user: str, password: str) -> str:
    """The value of the header `Authorization`."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def sendable(name: str, value: str) -> str:
    """The value, if a header can hold it. Raises `NonRetryableError`, without the value."""
    if not value or not value.isascii() or not value.isprintable():
        raise NonRetryableError(
            f"the secret for `{name}` cannot be sent", hint="it must be one line of ASCII characters, and not empty"
        )
    return value
