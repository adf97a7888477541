"""An open feed of Redis streams: reads behind ids that it keeps itself, so that any of them can be read again. Not a consumer group."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, Start
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.collection import uncollected
from headrace.infrastructure.brokers.gaps import OnGap
from headrace.infrastructure.brokers.gathering import AT_ONCE, MOST_BYTES, gathered
from headrace.infrastructure.brokers.redis.entries import messages_of
from headrace.infrastructure.redis.faults import redis_faults

if TYPE_CHECKING:
    import redis

_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_FIRST = Position("0-0")
#: How many entries are asked for before anything is known of their size.
_FIRST_COUNT = 100


@dataclass(frozen=True)
class _Standing:
    """What a server says of a stream: its first and last ids, and how many entries were added and are there."""

    first: Position | None
    last: Position
    added: int
    length: int


class RedisFeed:
    """Some streams of one server, each a partition."""

    exhausted = False

    def __init__(
        self, client: redis.Redis, shown: str, field: str | None, group: str | None, on_gap: OnGap, read_seconds: float
    ) -> None:
        self._client, self._shown, self._field, self._group, self._on_gap = client, shown, field, group, on_gap
        self._read_seconds = read_seconds
        self._connection: Any = None
        #: How many entries are asked for at once: as many as fit, by the size of the last that came.
        self._at_once = _FIRST_COUNT
        self._after: dict[str, Position] = {}
        #: Of each stream how many entries waited in all that were ever added, as far as that is known, less those given out.
        self._counted: dict[str, int | None] = {}

    def open(self, streams: Sequence[str], after: Mapping[str, Position], start: Start) -> RedisFeed:
        """Find where each stream is begun. Raises `NonRetryableError` where a position is none, or lies behind what was trimmed away."""
        with redis_faults(self._shown):
            for stream in streams:
                standing = self._standing(stream)
                given = after.get(stream)
                self._after[stream] = self._checked(stream, given, standing) if given else _begin(start, standing)
                self._counted[stream] = _passed(self._after[stream], standing)
        return self

    def partitions(self) -> Sequence[str]:
        return tuple(self._after)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        if not self._after:
            time.sleep(wait_seconds)
            return ()
        first = self._read(min(most, self._at_once), wait_seconds)
        return gathered(lambda count: self._read(min(count, self._at_once)), most, first) if first else ()

    def _read(self, count: int, wait_seconds: float = 0.0) -> Sequence[Messages]:
        """About so many messages of what is there, or the first that come."""
        blocking = ("BLOCK", max(1, round(wait_seconds * 1000))) if wait_seconds > 0 else ()
        each = max(1, count // len(self._after))
        with redis_faults(self._shown), uncollected():
            self._send("XREAD", "COUNT", each, *blocking, "STREAMS", *self._after, *self._after.values())
            if wait_seconds > 0:
                with self._whole():
                    self._connection.can_read(wait_seconds)
            return self._given(self._answer(wait_seconds))

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """With a group: let it stand behind these, so that whoever looks at the server sees how far this stream is."""
        if self._group is None:
            return
        import redis

        with redis_faults(self._shown):
            for stream, position in positions.items():
                try:
                    self._ask("XGROUP", "CREATE", stream, self._group, position, "MKSTREAM")
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise
                    self._ask("XGROUP", "SETID", stream, self._group, position)

    def lag(self) -> Mapping[str, int | None]:
        with redis_faults(self._shown):
            return {stream: self._waiting(stream) for stream in self._after}

    def close(self) -> None:
        self._disconnect()
        self._client.close()

    def _given(self, reply: Any) -> Sequence[Messages]:
        """What the server gave of each stream, which is given out from now on."""
        given = [messages_of(stream.decode(), entries, self._field) for stream, entries in reply or () if entries]
        for messages in given:
            stream, counted = messages.partition, self._counted[messages.partition]
            self._after[stream] = messages.last
            self._counted[stream] = None if counted is None else counted + len(messages)
        if count := sum(map(len, given)):
            large = sum(messages.payloads.nbytes for messages in given) // count + 1
            self._at_once = max(1, min(AT_ONCE, MOST_BYTES // large))
        return given

    def _waiting(self, stream: str) -> int | None:
        standing, after = self._standing(stream), self._after[stream]
        if _parts(standing.last) <= _parts(after):
            self._counted[stream] = standing.added
            return 0
        counted = self._counted[stream]
        return None if counted is None else min(standing.added - counted, standing.length)

    def _standing(self, stream: str) -> _Standing:
        import redis

        try:
            told = self._ask("XINFO", "STREAM", stream)
        except redis.ResponseError as error:
            if "no such key" not in str(error):
                raise
            return _Standing(None, _FIRST, 0, 0)
        facts: dict[bytes, Any] = dict(zip(told[::2], told[1::2], strict=True))
        first, length = facts[b"first-entry"], facts[b"length"]
        last = Position(facts[b"last-generated-id"].decode())
        return _Standing(Position(first[0].decode()) if first else None, last, facts.get(b"entries-added", length), length)

    def _checked(self, stream: str, position: Position, standing: _Standing) -> Position:
        if not _ID.fullmatch(position):
            raise NonRetryableError(
                f"`{position}` is no position in the stream `{stream}` of {self._shown}",
                hint="a position is the id of an entry, such as 1700000000000-0",
            )
        if self._on_gap == "continue" or _parts(standing.last) <= _parts(position) or position == _FIRST:
            return position
        if standing.first is None or _parts(position) < _parts(standing.first):
            raise NonRetryableError(
                f"entries of the stream `{stream}` of {self._shown} behind {position} may have been trimmed away unread: "
                + (f"the first that is left is {standing.first}" if standing.first else "none are left"),
                hint="keep more entries (MAXLEN, MINID) than are read late; `on_gap: continue` goes on with what is left",
            )
        return position

    def _ask(self, *command: Any) -> Any:
        self._send(*command)
        return self._answer()

    def _send(self, *command: Any) -> None:
        """Ask over a connection of our own, which is made anew when it broke."""
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        with self._whole():
            self._connection.send_command(*command)

    def _answer(self, wait_seconds: float = 0.0) -> Any:
        """What the server says, as raw as it does."""
        with self._whole():
            return self._connection.read_response(disable_decoding=True, timeout=wait_seconds + self._read_seconds)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Drop the connection where a question or an answer was cut off, also by an interrupt: the rest would be taken for another's."""
        import redis

        whole = False
        try:
            yield
            whole = True
        except redis.ResponseError:
            whole = True
            raise
        finally:
            if not whole:
                self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.disconnect()
            self._client.connection_pool.release(connection)


def _parts(position: str) -> tuple[int, int]:
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), int(sequence or 0)


def _begin(start: Start, standing: _Standing) -> Position:
    """The id behind which a stream is begun."""
    if isinstance(start, datetime):
        milliseconds = int(start.timestamp() * 1000)
        return Position(f"{milliseconds - 1}-{2**64 - 1}") if milliseconds > 0 else _FIRST
    return standing.last if start == "latest" else _FIRST


def _passed(after: Position, standing: _Standing) -> int | None:
    """How many of all entries ever added stand at the id or before it; None when that cannot be known without counting."""
    if _parts(standing.last) <= _parts(after):
        return standing.added
    if standing.first is None or _parts(after) < _parts(standing.first):
        return standing.added - standing.length
    return None
