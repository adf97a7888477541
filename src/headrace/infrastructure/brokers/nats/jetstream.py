"""What is asked of JetStream: how a stream stands, consumers, pulls. Not what becomes of the messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from headrace.business.model.schema import did_you_mean
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.nats.protocol import NatsProtocol, published
from headrace.records import record

NANOSECONDS = 1_000_000_000
#: How long a pull waits at the server for messages.
PULL_SECONDS = 30
#: After so long without a pull the server forgets a consumer that is not durable.
FORGOTTEN_SECONDS = 300

_NO_STREAM, _NO_CONSUMER = 10059, 10014


@record
class Standing:
    """How a stream stands."""

    first: int
    last: int
    retention: str


class JetStream:
    """One stream, asked over a connection."""

    def __init__(self, protocol: NatsProtocol, shown: str, stream: str) -> None:
        self.protocol, self._shown, self._stream = protocol, shown, stream

    def standing(self) -> Standing:
        told = self._asked(f"STREAM.INFO.{self._stream}")
        state = told["state"]
        return Standing(state["first_seq"], state["last_seq"], told["config"].get("retention", "limits"))

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        """Make a consumer. Raises `NonRetryableError` when the stream has none like it."""
        question = {"stream_name": self._stream, "config": {"name": name, **config}}
        self._asked(f"CONSUMER.CREATE.{self._stream}.{name}", question)

    def consumer(self, name: str) -> dict[str, Any] | None:
        """What is known of a consumer; None when there is none."""
        told = self.protocol.ask(f"$JS.API.CONSUMER.INFO.{self._stream}.{name}")
        if told.get("error", {}).get("err_code") == _NO_CONSUMER:
            return None
        return dict(self._sound(told))

    def known(self, name: str) -> dict[str, Any]:
        """What is known of a consumer of ours. Raises `RetryableError` when the server has forgotten it: it is made anew."""
        told = self.consumer(name)
        if told is None:
            raise RetryableError(f"{self._shown} has no consumer `{name}` any more", hint="it is made anew")
        return told

    def delete(self, name: str) -> None:
        self.protocol.ask(f"$JS.API.CONSUMER.DELETE.{self._stream}.{name}")

    def pull(self, name: str, inbox: str, batch: int, most_bytes: int | None) -> None:
        """Have the server send so many messages of so many bytes to the inbox, as they come."""
        bound = {} if most_bytes is None else {"max_bytes": most_bytes}
        question = json.dumps({"batch": batch, "expires": PULL_SECONDS * NANOSECONDS, **bound}).encode()
        self.protocol.send(published(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{name}", question, inbox))

    def _asked(self, what: str, question: Any = b"") -> dict[str, Any]:
        return dict(self._sound(self.protocol.ask(f"$JS.API.{what}", question)))

    def _sound(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        error = told.get("error")
        if not error:
            return told
        if error.get("err_code") == _NO_STREAM:
            names = self.protocol.ask("$JS.API.STREAM.NAMES").get("streams") or []
            raise NonRetryableError(f"{self._shown} has no stream `{self._stream}`", hint=did_you_mean(self._stream, names))
        kind = RetryableError if error.get("code", 500) >= 500 else NonRetryableError
        raise kind(
            f"{self._shown}: stream `{self._stream}`: {error.get('description', 'refused')}",
            hint="see `nats stream info` and `nats consumer info`, and the options of the source",
        )


def instant(moment: datetime) -> str:
    """As JetStream writes times."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
