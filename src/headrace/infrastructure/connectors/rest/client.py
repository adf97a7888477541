"""Asks an API until it answers: paced, signed, redirected within bounds, tried again as the run's policy says. Not what is asked.

Credentials go to the host that the definition names, and to no other: neither a redirect nor a link takes them along.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.rest.authentication import sendable
from headrace.infrastructure.connectors.rest.exchange import Broken, Exchange, Response, TooLarge
from headrace.infrastructure.connectors.rest.pace import Pace
from headrace.infrastructure.connectors.rest.reaching import ReachOptions
from headrace.infrastructure.connectors.rest.tokens import Tokens
from headrace.infrastructure.connectors.web.connections import Connections, Request
from headrace.infrastructure.connectors.web.faults import telling
from headrace.infrastructure.connectors.web.reach import Reach
from headrace.infrastructure.connectors.web.trail import Trail
from headrace.infrastructure.connectors.web.trust import trust
from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import retrying

T = TypeVar("T")

_LONGEST_WAIT = 600.0
#: Names of parameters whose values are not shown, whoever set them: servers repeat keys in the links that they give.
_SECRETIVE = re.compile(r"token|key|secret|sig|pass|auth|credential", re.IGNORECASE)
_SAID = 200


class _Throttled(RetryableError):
    """The server asks to be left alone for a while that it names, which is no failure."""


class Client:
    """One API for one reading, from many threads. `url` is where the reading begins; relative files are meant from `home`."""

    def __init__(
        self, options: ReachOptions, url: str, home: Path, policy: RetryPolicy, largest: int, reach: Reach | None = None
    ) -> None:
        self._options, self._policy = options, policy
        self._stopped = Event()
        self.tls: str | None = None
        """How the last answer was encrypted: the version of TLS and the cipher."""
        oauth2 = options.auth.oauth2 if options.auth else None
        own = (urlsplit(url), *((urlsplit(oauth2.token_url),) if oauth2 else ()))
        self._own = own[0]
        admit = (reach or Reach(*own)).admit
        connections = Connections(options.timeout, options.timeout, lambda: trust(home, options.ca), admit)
        self._exchange = Exchange(connections, largest)
        self._patience = _LONGEST_WAIT if policy.budget_seconds is None else policy.budget_seconds
        self._pace = Pace(options.rate, self._patience, self._wait)
        self._tokens = Tokens(oauth2, self._send) if oauth2 else None

    def fetch(self, request: Request, read: Callable[[Response], T], *, missing: bool = False) -> T | None:
        """What `read` makes of a good answer. It raises `RetryableError` when the answer is damaged, which is asked for again.
        Where it may be `missing`, None of what is not found (404).

        Raises `RetryableError` when nothing came of all attempts, and `NonRetryableError` when more would not help.
        """

        def attempt() -> T | None:
            response = self._answered(request, missing=missing)
            return None if response.answer.status == 404 else read(response)

        return retrying(self._policy, attempt, wait=self._wait, nested=True)

    def token(self) -> str | None:
        """The token by which we would be known now, where one is fetched."""
        return self._tokens.current() if self._tokens else None

    def close(self) -> None:
        """Let go of all connections; threads that wait are woken."""
        self._stopped.set()
        self._exchange.close()

    def shown(self, url: str) -> str:
        """An address without what may be secret in it."""
        parts = urlsplit(url)
        if not parts.query:
            return url
        key = self._options.auth.api_key.query if self._options.auth and self._options.auth.api_key else None
        query = [
            (name, "***" if name == key or _SECRETIVE.search(name) else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        return urlunsplit(parts._replace(query=urlencode(query, safe="*:,/@")))

    # One attempt ------------------------------------------------------------------------------------------------------

    def _answered(self, request: Request, *, missing: bool) -> Response:
        """A good answer. A server that names the time it wants to be left alone is given it, within the patience of the policy."""
        begun = time.monotonic()
        while True:
            try:
                url, response = self._redirected(request)
                return response if missing and response.answer.status == 404 else self._judged(url, response)
            except _Throttled as error:
                asked = max(error.retry_after or 0.0, 1.0)
                if time.monotonic() - begun + asked > self._patience:
                    raise RetryableError(error.message, hint=error.hint, retry_after=asked) from None
                self._pace.pause(asked)

    def _redirected(self, request: Request) -> tuple[str, Response]:
        """The answer behind all redirects, and where it came from."""
        trail = Trail(request, self._own, self.shown)
        while True:
            response = self._signed(trail.request) if trail.is_home else self._paced(_bare(trail.request))
            if not trail.leads_on(response.answer.status, response.headers.get("location")):
                return trail.request.url, response

    def _signed(self, request: Request) -> Response:
        """The answer to a request with our credentials; a token that is refused is exchanged for another, once."""
        response, token = self._with_token(request)
        if response.answer.status == 401 and self._tokens is not None and token is not None:
            self._tokens.refused(token)
            response, _ = self._with_token(request)
        return response

    def _with_token(self, request: Request) -> tuple[Response, str | None]:
        token = self.token()
        auth = self._options.auth
        headers = {name: sendable(name, value.reveal()) for name, value in self._options.headers.items()}
        headers |= {**request.headers, **(auth.headers(token) if auth else {})}
        url = request.url
        if auth is not None and (more := auth.query()):
            url += ("&" if request.parts.query else "?") + more
        return self._paced(replace(request, url=url, headers=headers), shown=request.url), token

    def _paced(self, request: Request, shown: str | None = None) -> Response:
        self._pace.turn()
        response = self._send(request, shown)
        left = self._pace.heed(response.headers)
        if response.answer.status in (429, 503):
            asked = response.answer.retry_after(time.time())
            if asked is None and response.answer.status == 429:
                asked = left
            if asked is not None:
                said = f"{self.shown(shown or request.url)} answered {response.answer.status}"
                hint = "it wants to be asked less often: say `rate: 5 per second`, or less"
                raise _Throttled(said, hint=hint, retry_after=asked)
        return response

    def _send(self, request: Request, shown: str | None = None) -> Response:
        """Send it once. Errors name the address without its secrets."""
        said = self.shown(shown or request.url)
        if self._stopped.is_set():
            raise RetryableError(f"{said} was not asked: the reading was broken off")
        with telling(said):
            try:
                return self._seen(self._exchange.ask(replace(request, headers=_completed(request))))
            except TooLarge:
                raise NonRetryableError(
                    f"{said} answers with more than is taken at once", hint="ask for smaller pages, or raise `largest_page`"
                ) from None
            except Broken as error:
                raise RetryableError(f"{said}: {error}") from None

    def _seen(self, response: Response) -> Response:
        self.tls = response.tls
        return response

    def _judged(self, url: str, response: Response) -> Response:
        answer = response.answer
        if answer.is_good:
            return response
        said = f"{self.shown(url)} answered {answer.status}"
        if answer.may_pass:
            raise RetryableError(said, retry_after=answer.retry_after(time.time()))
        if answer.status in (401, 403):
            raise NonRetryableError(f"{said}{self._words(response)}", hint="see that `auth` is right, and what it may read")
        raise NonRetryableError(f"{said}{self._words(response)}", hint="see that address and parameters are right")

    def _words(self, response: Response) -> str:
        """What the server says of a refusal, on one line, without our secrets."""
        try:
            words = " ".join(response.text.split())
        except ValueError:
            return ""
        for secret in filter(None, self._secrets()):
            words = words.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return f": {words[:_SAID]}" if words and not words.startswith("<") and words.isprintable() else ""

    def _secrets(self) -> Iterator[str]:
        """All that a server could repeat of what it was sent: secrets, and what they were made into."""
        yield from (value.reveal() for value in self._options.headers.values() if value.reference)
        if self._options.auth is not None:
            sent = self._options.auth.headers(self._tokens.last if self._tokens else None)
            yield from (value.rpartition(" ")[2] for value in sent.values())
            yield from self._options.auth.revealed()

    def _wait(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise RetryableError("the reading was broken off")


def _bare(request: Request) -> Request:
    """For another host: without whatever the definition gives along."""
    return replace(request, headers={})


def _completed(request: Request) -> dict[str, str]:
    given = {name.lower() for name in request.headers}
    ours = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "headrace"}
    if request.body is not None:
        ours["Content-Type"] = "application/json"
    return {**{name: value for name, value in ours.items() if name.lower() not in given}, **request.headers}
