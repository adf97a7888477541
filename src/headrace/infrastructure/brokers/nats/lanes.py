"""What a feed of NATS reads one partition by: a consumer of its own that is made anew wherever it is left, or one that people share.

Both pull: so many messages of so many bytes as are asked for wait at most, at the server's side of the socket and at ours.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, Start
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.gaps import OnGap
from headrace.infrastructure.brokers.nats.deliveries import Deliveries
from headrace.infrastructure.brokers.nats.jetstream import FORGOTTEN_SECONDS, NANOSECONDS, PULL_SECONDS, JetStream, instant

#: What the server says when a pull brought nothing, or not all that was asked for; when the next message is larger than what is left of the
#: bytes; and when all messages came, and bytes are left.
_TOO_LARGE, _COMPLETED = b"409 Message Size Exceeds MaxBytes", b"409 Batch Completed"
_ENDED = (b"404", b"408", _TOO_LARGE, _COMPLETED)
_SPARE_SECONDS = 15.0


class Lane(ABC):
    """One partition, from the connection on that it was opened on. What was given out is known beyond that."""

    name: str
    """Of the partition."""

    def __init__(self, name: str, batch: int) -> None:
        self.name, self._batch = name, batch
        self.arrived = Deliveries()
        self.disordered = False
        """Whether messages are among what arrived that the server hands out again, in any order."""
        self._underway = self._size = 0
        self._alone = False
        """Whether the next message is larger than what may come at once: then it comes alone."""
        self._heard = 0.0
        self._sid, self._inbox, self._consumer = b"", "", ""

    @property
    def sid(self) -> bytes:
        return self._sid

    @property
    def size(self) -> int:
        """How many bytes of messages have come, and are not given out."""
        return self._size

    def open(self, stream: JetStream) -> None:
        """Begin behind what was given out last, or came."""
        self._underway = 0
        self._alone = False
        self._consumer = self._ready(stream)
        self._size = self.arrived.size()
        self._sid, self._inbox = stream.protocol.subscribe()

    @abstractmethod
    def _ready(self, stream: JetStream) -> str:
        """The name of the consumer, which is there when this returns."""

    def ask_for_more(self, stream: JetStream, most_bytes: int) -> None:
        waiting = self._underway + len(self.arrived)
        if waiting <= self._batch // 2 and self._size <= most_bytes // 2:
            wanted = 1 if self._alone else self._batch - waiting
            stream.pull(self._consumer, self._inbox, wanted, None if self._alone else most_bytes)
            self._underway += wanted
            self._alone = False
            self._heard = time.monotonic()

    def see_that_it_lives(self) -> None:
        """Called when nothing came. A pull ends by itself; one that does not is of a consumer that is gone, and would wait for ever."""
        if self._underway and time.monotonic() - self._heard > PULL_SECONDS + _SPARE_SECONDS:
            raise RetryableError("the NATS server says nothing of what was asked for", hint="it is asked anew")

    def take(self, came: Deliveries) -> None:
        """Something came by its subscription."""
        self._heard = time.monotonic()
        statuses = came.statuses()
        if statuses:
            came = came.pick([n for n in range(len(came)) if n not in statuses])
        self._underway -= len(came)
        self._size += came.size()
        self.arrived.extend(came)
        for status in statuses.values():
            if not status.startswith(_ENDED):
                said = status.split(b"\r\n", 1)[0].decode()
                raise RetryableError(f"the NATS server ends the pull: {said}", hint="it is asked again")
            self._underway = max(0, self._underway - _unfilled(status, self._underway))
            self._alone = status.startswith(_TOO_LARGE) and not self.arrived

    def give(self, most: int) -> Messages | None:
        """Some of what came."""
        if not self.arrived:
            return None
        got = self.arrived.take(most)
        self._size -= got.size()
        return self._given(got)

    @abstractmethod
    def _given(self, got: Deliveries) -> Messages: ...

    @abstractmethod
    def acknowledge(self, stream: JetStream, position: Position) -> None: ...

    @abstractmethod
    def lag(self, stream: JetStream) -> int: ...

    @abstractmethod
    def leave(self, stream: JetStream) -> None:
        """The feed is closed: the broker need not wait for us."""


class OwnLane(Lane):
    """Messages of a stream, or of some subjects of it, read by sequence. The broker keeps nothing for us."""

    def __init__(self, name: str, subject: str | None, batch: int, after: int | None, start: Start, on_gap: OnGap) -> None:
        super().__init__(name, batch)
        self._subject, self._after, self._start, self._on_gap, self._read = subject, after, start, on_gap, 0

    def find_start(self, shown: str, stream: JetStream) -> None:
        """Settle where it begins. Raises `NonRetryableError` when the stream has dropped what stands behind the position."""
        standing = stream.standing()
        if standing.retention == "workqueue":
            raise NonRetryableError(
                f"{shown} is a work queue, which keeps only what nobody acknowledged", hint="name a `consumer` to read it by"
            )
        if self._after is None:
            if self._start == "latest":
                self._after = standing.last
            return
        if self._after > standing.last:
            raise NonRetryableError(
                f"{shown} ends at {standing.last}, before the position {self._after} of this stream: it was made anew",
                hint="begin anew: replay from earliest",
            )
        missed = self._after + 1 < standing.first and self._after < standing.last
        if missed and self._subject is None and self._on_gap == "fail":
            raise NonRetryableError(
                f"{shown} has dropped messages {self._after + 1} to {standing.first - 1}, which were not read yet",
                hint="raise the limits of the stream; `on_gap: continue` goes on with what is left",
            )

    def _ready(self, stream: JetStream) -> str:
        self.arrived = Deliveries()
        self._read = 0
        name = f"headrace-{uuid.uuid4().hex[:16]}"
        config = {
            "ack_policy": "none", "mem_storage": True, "num_replicas": 1, "inactive_threshold": FORGOTTEN_SECONDS * NANOSECONDS,
            "max_deliver": -1, **self._begin(),
        }  # fmt: skip
        stream.create(name, config | ({"filter_subject": self._subject} if self._subject else {}))
        return name

    def _begin(self) -> Mapping[str, Any]:
        if self._after is not None:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._after + 1}
        if isinstance(self._start, datetime):
            return {"deliver_policy": "by_start_time", "opt_start_time": instant(self._start)}
        return {"deliver_policy": "all"}

    def _given(self, got: Deliveries) -> Messages:
        self._read += len(got)
        given = got.messages(self.name)
        self._after = int(given.last)
        return given

    def acknowledge(self, stream: JetStream, position: Position) -> None:
        """Nothing: the position is all there is to know."""

    def lag(self, stream: JetStream) -> int:
        told = stream.known(self._consumer)
        return int(told["num_pending"] + told["delivered"]["consumer_seq"] - self._read)

    def leave(self, stream: JetStream) -> None:
        stream.delete(self._consumer)


class SharedLane(Lane):
    """Messages that a durable consumer hands out, to us and to whoever else reads by its name. Each waits until it is acknowledged."""

    def __init__(self, consumer: str, subjects: Sequence[str], batch: int, start: Start, ack_seconds: float) -> None:
        super().__init__(consumer, batch)
        self._subjects, self._start, self._ack_seconds = subjects, start, ack_seconds
        self._count = self._acknowledged = 0
        self._given_out: deque[bytes] = deque()

    def _ready(self, stream: JetStream) -> str:
        there = stream.consumer(self.name)
        if there is None:
            stream.create(self.name, self._config())
            return self.name
        config = there["config"]
        filters = config.get("filter_subjects") or [config["filter_subject"]] if config.get("filter_subject") else []
        wrong = (
            "delivers by itself instead of being asked" if config.get("deliver_subject")
            else "does not acknowledge each message" if config.get("ack_policy") != "explicit"
            else f"reads {', '.join(filters) or 'all subjects'}" if self._subjects and sorted(filters) != sorted(self._subjects)
            else None
        )  # fmt: skip
        if wrong:
            raise NonRetryableError(
                f"the consumer `{self.name}` is there and {wrong}", hint="name another `consumer`, or delete this one"
            )
        return self.name

    def _config(self) -> Mapping[str, Any]:
        match self._start:
            case "earliest":
                begin: dict[str, Any] = {"deliver_policy": "all"}
            case "latest":
                begin = {"deliver_policy": "new"}
            case moment:
                begin = {"deliver_policy": "by_start_time", "opt_start_time": instant(moment)}
        match self._subjects:
            case []:
                pass
            case [only]:
                begin["filter_subject"] = only
            case several:
                begin["filter_subjects"] = list(several)
        ack = {"ack_policy": "explicit", "ack_wait": round(self._ack_seconds * NANOSECONDS), "max_ack_pending": -1}
        return {"durable_name": self.name, "max_deliver": -1, **ack, **begin}

    def take(self, came: Deliveries) -> None:
        super().take(came)
        self.disordered = self.arrived.repeated()

    def give(self, most: int) -> Messages | None:
        if self.disordered:
            sequences = self.arrived.sequences()
            self.arrived = self.arrived.pick(sorted(range(len(sequences)), key=sequences.__getitem__))
            self.disordered = False
        return super().give(most)

    def _given(self, got: Deliveries) -> Messages:
        self._count += len(got)
        self._given_out.extend(got.replies)
        return got.messages(self.name, str(self._count))

    def acknowledge(self, stream: JetStream, position: Position) -> None:
        done = min(int(position), self._count) - self._acknowledged
        if done <= 0:
            return
        replies = [self._given_out.popleft() for _ in range(done)]
        self._acknowledged += done
        stream.protocol.send(b"".join(b"PUB %b 4\r\n+ACK\r\n" % reply for reply in replies[:-1]))
        stream.protocol.ask(replies[-1].decode(), b"+ACK")

    def lag(self, stream: JetStream) -> int:
        told = stream.known(self.name)
        return max(0, int(told["num_pending"] + told["num_ack_pending"] - len(self._given_out)))

    def leave(self, stream: JetStream) -> None:
        """Give back what was not acknowledged, so that it comes again at once."""
        last = stream.protocol.unsubscribe(self._sid)
        statuses = last.statuses()
        back = [*self._given_out, *self.arrived.replies, *(reply for n, reply in enumerate(last.replies) if n not in statuses)]
        stream.protocol.send(b"".join(b"PUB %b 4\r\n-NAK\r\n" % reply for reply in back))
        stream.protocol.ping()


def _unfilled(status: bytes, underway: int) -> int:
    """How many of the messages that were asked for do not come any more."""
    if status.startswith(_COMPLETED):
        return 0
    for line in status.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"nats-pending-messages":
            return int(value)
    return underway
