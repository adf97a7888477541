"""Posts events to a webhook as CloudEvents, signed as Standard Webhooks are. It follows no redirect and asks no proxy.

The standards: "CloudEvents - HTTP Protocol Binding 1.0.2", structured mode, and "Standard Webhooks 1.0.0" for the signature:
HMAC-SHA256 over `id.timestamp.body`. A webhook that is sent the same event twice knows it by the `webhook-id`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

from headrace.bus.cloudevents import MEDIA_TYPE, to_cloudevent
from headrace.bus.store import Envelope
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import what_broke
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from headrace.infrastructure.posting import Answer


class Webhook:
    """One address. Called with an event, it returns when the other side has taken it."""

    def __init__(
        self,
        address: Secret,
        source: Callable[[], str],
        secret: Secret | None = None,
        timeout: float = 10.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.address, self.source, self.secret, self.timeout, self.wall = address, source, secret, timeout, wall

    def __call__(self, event: Envelope) -> None:
        url = _checked(_revealed(self.address))
        body = json.dumps(to_cloudevent(event, self.source()), ensure_ascii=False, separators=(",", ":")).encode()
        headers = self._headers(event, body)
        answer = self._post(url, headers, body)
        if answer.is_good:
            return
        said = f"the webhook at {url.hostname} answered {answer.status}"
        if answer.may_pass:
            raise RetryableError(said, hint="it is asked again", retry_after=answer.retry_after(self.wall()))
        if answer.is_redirect:
            raise NonRetryableError(said, hint="redirects are not followed: write the address that it leads to")
        raise NonRetryableError(said, hint="see what it wants, then `headrace subscriptions retry`")

    def _post(self, url: SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
        from headrace.infrastructure.posting import FAILURES, post

        try:
            return post(url, headers, body, self.timeout)
        except FAILURES as error:
            raise RetryableError(
                f"the webhook at {url.hostname} cannot be reached: {what_broke(error)}", hint="it is asked again"
            ) from None

    def _headers(self, event: Envelope, body: bytes) -> dict[str, str]:
        at, name = str(int(self.wall())), quote(event.id)
        headers = {"content-type": MEDIA_TYPE, "user-agent": "headrace", "webhook-id": name, "webhook-timestamp": at}
        if self.secret is not None:
            signed = hmac.new(_key(_revealed(self.secret)), f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(signed).decode()
        return headers


def _revealed(secret: Secret) -> str:
    """A secret that is not there now may be there later; the events wait for it."""
    try:
        return secret.reveal()
    except NonRetryableError as error:
        raise RetryableError(error.message, hint=error.hint) from None


def _checked(address: str) -> SplitResult:
    try:
        url = urlsplit(address)
        fine = url.scheme in ("http", "https") and url.hostname and url.port != 0 and url.username is None
    except ValueError:
        fine = False
    if not fine:
        raise RetryableError(
            "the address of a webhook must be `http` or `https` with a host, and without a user",
            hint="mend it in headrace.toml, or the secret that it refers to",
        )
    return url


def _key(secret: str) -> bytes:
    """As Standard Webhooks write secrets: `whsec_` and base64; any other text counts as it is."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise RetryableError("the secret of a webhook begins with `whsec_` and is not in base64") from None
    return secret.encode()
