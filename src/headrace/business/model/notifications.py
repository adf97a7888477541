"""Who is told of what happens to a pipeline, and how, as definitions say it. Not when something has happened (see `scheduling.alerts`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from headrace.business.model.part import Model
from headrace.business.model.shorthand import Shorthand
from headrace.business.model.wording import Misworded
from headrace.security.secrets import Secret

#: What may be told: a run failed; a tick has no published result in time; rows were held back; a check did not pass; it is over.
Occasion = Literal["failed", "late", "quarantined", "check_failed", "recovered"]

_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def _list(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise Misworded(f"`{text}` is not an e-mail address", "write name@example.com alone, without a display name")
    return text


def _server(text: str) -> str:
    if not _SERVER.fullmatch(text):
        raise Misworded(
            f"`{text}` is not a mail server", "write its name, with a port where it needs one: smtp.example.com:587"
        )
    return text


def _once(occasions: tuple[str, ...]) -> tuple[str, ...]:
    if not occasions:
        raise Misworded("a notification of nothing", "name at least one occasion: `on: failed`")
    if twice := next((o for o in occasions if occasions.count(o) > 1), None):
        raise Misworded(f"`{twice}` stands twice", "take one of them out")
    return occasions


def _program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise Misworded("a command needs a program", "write `command: [./page.sh, urgent]`")
    return words


Address = Annotated[str, AfterValidator(_address)]


class Webhook(Model):
    """A POST of JSON to a URL."""

    url: Secret = Field(description="Where to; as a rule a secret by itself")
    headers: Mapping[str, Secret] = Field(
        default_factory=dict, description="Headers to send along", examples=[{"Authorization": "x"}]
    )


class Email(Model):
    """A message through a mail server, by SMTP."""

    to: Annotated[tuple[Address, ...], BeforeValidator(_list), Field(min_length=1)] = Field(
        description="An address, or several"
    )
    from_: Address = Field(alias="from", description="The sender's address")
    server: Annotated[str, AfterValidator(_server)] = Field(
        description="Name and port of the server", examples=["smtp.example.com:587"]
    )
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted")
    user: str | None = Field(None, description="The name to log in with")
    password: Secret | None = Field(None, description="The password to log in with: a reference, `${secret:env/SMTP_PASSWORD}`")

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.user is None) != (self.password is None):
            missing, there = ("password", "user") if self.password is None else ("user", "password")
            raise Misworded(f"`{there}` without `{missing}`", f"add `{missing}: ...`, or take `{there}` out")
        if self.security == "none" and self.password is not None:
            raise Misworded(
                "the password would go over the network in plain text", "write `security: starttls` or `security: tls`"
            )
        return self


class Command(Model):
    """A program on the machine that tells, started without a shell. It gets what happened as JSON on its standard input."""

    run: Annotated[tuple[str, ...], AfterValidator(_program)] = Field(
        description="The program and its arguments", examples=[["./page.sh", "urgent"]]
    )


def _webhook(written: Any) -> Any:
    return {"url": written} if isinstance(written, str | Secret) else written


def _command(written: Any) -> Any:
    return {"run": written} if isinstance(written, list | tuple) else written


class Notification(Model):
    """Who is told of what, in one way. Each trouble is told once when it begins, and once when it is over if `recovered` is among `on`.

    With `recovered` alone, the ends of all kinds of trouble are told.
    """

    name: str | None = Field(
        None, description="Its name; what is open is remembered under it, so choose one before reordering a list"
    )
    on: Annotated[tuple[Occasion, ...], BeforeValidator(_list), AfterValidator(_once)] = Field(description="What is told")
    webhook: Annotated[Webhook, Shorthand(_webhook, of="url")] | None = Field(None, description="POST to a URL")
    email: Email | None = Field(None, description="Write a message")
    command: Annotated[Command, Shorthand(_command, of="run")] | None = Field(None, description="Start a program")
    after: int = Field(1, ge=1, le=100, description="Tell only when so many runs in a row are in trouble")
    recovered_after: int = Field(1, ge=1, le=100, description="It is over only when so many runs in a row are free of it")
    min_quarantined: int = Field(1, ge=1, description="`quarantined` means at least so many rows held back in one run")

    @property
    def way(self) -> Literal["webhook", "email", "command"]:
        return "webhook" if self.webhook else "email" if self.email else "command"

    @property
    def occasions(self) -> frozenset[Occasion]:
        """The kinds of trouble that it watches."""
        troubles = frozenset(o for o in self.on if o != "recovered")
        return troubles or frozenset({"failed", "late", "quarantined", "check_failed"})

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        ways = [way for way in ("webhook", "email", "command") if getattr(self, way) is not None]
        if not ways:
            raise Misworded("this notification says not how", "add `webhook: ...`, `email: {...}` or `command: [...]`")
        if len(ways) > 1:
            first, second = ways[:2]
            raise Misworded(
                f"two ways in one notification: `{first}` and `{second}`", f"begin a new item: `- {second}: ...`, with its `on`"
            )
        if self.min_quarantined > 1 and "quarantined" not in self.occasions:
            raise Misworded("`min_quarantined` without `quarantined`", "add `quarantined` to `on`, or take it out")
        return self
