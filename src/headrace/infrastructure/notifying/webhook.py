"""Tells by a POST of JSON to a URL. No redirect is followed: the message and its headers go where the definition says, and nowhere else.

The URL is a secret as a rule: neither it nor what the server answers is ever repeated in an error.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from headrace.application.orchestrator.message import Message
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Notification, Webhook
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.notifying.patience import at_most, what_broke

#: Refusals that may pass: too slow, too early, too many, and the server's own faults.
_PASSING = {408, 425, 429}
_OK = range(200, 300)
_REDIRECTS = range(300, 400)


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
        status, retry_after = self._post(url, headers, body, shown)
        _judge(status, retry_after, shown)

    def _post(self, url: SplitResult, headers: Mapping[str, str], body: bytes, shown: str) -> tuple[int, float | None]:
        try:
            connection = _connection(url, self.seconds)
            try:
                connection.connect()
                with at_most(self.seconds, lambda: connection.sock):
                    connection.request("POST", _target(url), body, dict(headers))
                    answer = connection.getresponse()
                    return answer.status, _retry_after(answer)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as error:
            hint = "for a certificate of your own authority, let SSL_CERT_FILE name its certificate"
            raise NonRetryableError(f"{shown} cannot be told: {what_broke(error)}", hint=hint) from None
        except (OSError, HTTPException) as error:
            raise RetryableError(f"{shown} cannot be told: {what_broke(error)}") from None
        except ValueError:  # such as a host name that cannot be; its words would repeat the URL
            raise _no_url(shown) from None


def _address(webhook: Webhook) -> SplitResult:
    shown = f"the webhook {webhook.url}"
    try:
        url = urlsplit(webhook.url.reveal().strip())
        valid = bool(url.hostname) and url.port != 0 and _target(url).isascii() and _target(url).isprintable()
    except ValueError:
        raise _no_url(shown) from None
    if url.scheme not in ("http", "https") or not valid or " " in _target(url):
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


def _connection(url: SplitResult, seconds: float) -> HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "http":
        return HTTPConnection(host, url.port, timeout=seconds)
    return HTTPSConnection(host, url.port, timeout=seconds, context=ssl.create_default_context())


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _judge(status: int, retry_after: float | None, shown: str) -> None:
    if status in _OK:
        return
    if status in _REDIRECTS:
        raise NonRetryableError(
            f"{shown} answered {status}: it is somewhere else now", hint="redirects are not followed; set the new URL"
        )
    if status in _PASSING or status >= 500:
        raise RetryableError(f"{shown} answered {status}", retry_after=retry_after)
    raise NonRetryableError(f"{shown} answered {status}", hint="see that URL and headers are right, and what the server wants")


def _retry_after(answer: HTTPResponse) -> float | None:
    """The seconds that a server asks to wait, which it says as a number or as a date."""
    text = (answer.getheader("Retry-After") or "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
