"""Tells by a POST of JSON to a URL. No redirect is followed: the message and its headers go where the definition says, and nowhere else.

The URL is a secret as a rule: neither it nor what the server answers is ever repeated in an error.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from headrace.application.orchestrator.message import Message
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Notification, Webhook
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import what_broke
from headrace.infrastructure.posting import FAILURES, Answer, post, target


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """See `Notifier`. `seconds` is for connecting, and again for the whole of sending and answering."""

    seconds: float = 15.0

    def send(self, loaded: Loaded, notification: Notification, message: Message) -> None:  # noqa: ARG002 - the port
        webhook = notification.webhook
        if webhook is None:
            raise NonRetryableError("this notification is not a webhook", hint="this is a defect of ours; please report it")
        shown = f"the webhook {webhook.url}"
        url = _address(webhook)
        ours = {"Content-Type": "application/json", "User-Agent": "headrace", "Idempotency-Key": message.id}
        headers = _headers(webhook, ours)
        body = json.dumps(message.document()).encode()
        _judge(self._post(url, headers, body, shown), shown)

    def _post(self, url: SplitResult, headers: Mapping[str, str], body: bytes, shown: str) -> Answer:
        try:
            return post(url, headers, body, self.seconds)
        except ssl.SSLCertVerificationError as error:
            hint = "for a certificate of your own authority, let SSL_CERT_FILE name its certificate"
            raise NonRetryableError(f"{shown} cannot be told: {what_broke(error)}", hint=hint) from None
        except FAILURES as error:
            if isinstance(error, ValueError):  # such as a host name that cannot be; its words would repeat the URL
                raise _no_url(shown) from None
            raise RetryableError(f"{shown} cannot be told: {what_broke(error)}") from None


def _address(webhook: Webhook) -> SplitResult:
    shown = f"the webhook {webhook.url}"
    try:
        url = urlsplit(webhook.url.reveal().strip())
        valid = bool(url.hostname) and url.port != 0 and target(url).isascii() and target(url).isprintable()
    except ValueError:
        raise _no_url(shown) from None
    if url.scheme not in ("http", "https") or not valid or " " in target(url):
        raise _no_url(shown)
    if url.username is not None or url.password is not None:
        raise NonRetryableError(f"{shown} has a login in its URL", hint="write it as a header: `headers: {Authorization: ...}`")
    return url


def _no_url(shown: str) -> NonRetryableError:
    return NonRetryableError(
        f"{shown} is no URL to post to", hint="it begins with `https://` or `http://`, and holds no spaces"
    )


def _headers(webhook: Webhook, ours: Mapping[str, str]) -> dict[str, str]:
    """Those of the definition, and those of ours that it does not give."""
    given = {name.lower() for name in webhook.headers}
    found = {name: value for name, value in ours.items() if name.lower() not in given}
    for name, secret in webhook.headers.items():
        value = secret.reveal()
        if not (
            value.isascii() and value.isprintable() and name.isascii() and name.isprintable() and not set(name) & set(" :")
        ):
            raise NonRetryableError(
                f"the header `{name}` of the webhook {webhook.url} cannot be sent",
                hint="headers are one line of ASCII characters",
            )
        found[name] = value
    return found


def _judge(answer: Answer, shown: str) -> None:
    if answer.is_good:
        return
    said = f"{shown} answered {answer.status}"
    if answer.is_redirect:
        raise NonRetryableError(f"{said}: it is somewhere else now", hint="redirects are not followed; set the new URL")
    if answer.may_pass:
        raise RetryableError(said, retry_after=answer.retry_after(time.time()))
    raise NonRetryableError(said, hint="see that URL and headers are right, and what the server wants")
