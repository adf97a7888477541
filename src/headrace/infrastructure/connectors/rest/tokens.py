"""Fetches tokens by the client credentials of OAuth 2, keeps one while it is good, and fetches another when it is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from threading import Lock
from urllib.parse import quote, urlencode

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.rest.authentication import ClientCredentials, basic
from headrace.infrastructure.connectors.rest.exchange import Request, Response

#: How long before its end a token is no longer used, so that it does not end on its way.
_EARLY_SECONDS = 15.0


class Tokens:
    """One token for all threads of a reading. `ask` sends a request and returns the answer, whatever it is."""

    def __init__(
        self, options: ClientCredentials, ask: Callable[[Request], Response], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options, self._ask, self._clock = options, ask, clock
        self._token, self._before, self._until = "", "", 0.0
        self._lock = Lock()

    def current(self) -> str:
        """A token that should be good. Raises `NonRetryableError` when we get none, `RetryableError` when the server is at fault."""
        with self._lock:
            if not self._token or self._clock() >= self._until:
                self._fetch()
            return self._token

    @property
    def last(self) -> str | None:
        """The token that was given out last, as far as it is still known."""
        return self._token or self._before or None

    def refused(self, token: str) -> None:
        """A server did not take this token: it is not given out again. Another thread may have noticed before."""
        with self._lock:
            if token == self._token:
                self._token, self._before = "", token

    def _fetch(self) -> None:
        options = self._options
        form = {"grant_type": "client_credentials", "scope": options.scope, "audience": options.audience}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if options.credentials == "body":
            form |= {"client_id": options.client_id, "client_secret": options.client_secret.reveal()}
        else:  # each is form-encoded first (RFC 6749, section 2.3.1)
            headers["Authorization"] = basic(quote(options.client_id, safe=""), quote(options.client_secret.reveal(), safe=""))
        body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        answer = self._ask(Request(options.token_url, "POST", headers, body))
        said = f"no token from {options.token_url}"
        if answer.answer.may_pass:
            raise RetryableError(
                f"{said}: it answered {answer.answer.status}", retry_after=answer.answer.retry_after(time.time())
            )
        if not answer.answer.is_good:
            raise NonRetryableError(
                f"{said}: it answered {answer.answer.status}{_reason(answer)}",
                hint="see that `client_id`, `client_secret` and `scope` are right",
            )
        self._take(answer, said)

    def _take(self, answer: Response, said: str) -> None:
        try:
            found = json.loads(answer.body)
            token, lasting = found["access_token"], float(found.get("expires_in") or 3600)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NonRetryableError(f"{said}: its answer holds no `access_token`", hint="is `token_url` right?") from None
        if not isinstance(token, str) or not token:
            raise NonRetryableError(f"{said}: its `access_token` is no text")
        self._token, self._until = token, self._clock() + max(lasting - _EARLY_SECONDS, lasting / 2)


def _reason(answer: Response) -> str:
    """The error code of RFC 6749, section 5.2, which is one of few words; what else the answer says may repeat what was sent."""
    try:
        code = json.loads(answer.body).get("error")
    except (ValueError, AttributeError):
        return ""
    return f" ({code})" if isinstance(code, str) and code.replace("_", "").isalpha() and len(code) < 40 else ""
