"""An open feed of a stream of RabbitMQ: blocks of messages come as long as there is room for them here, from any offset on."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, Start
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.brokers.collection import uncollected
from headrace.infrastructure.brokers.gaps import OnGap
from headrace.infrastructure.brokers.message_columns import binary, headers_of
from headrace.infrastructure.brokers.rabbitmq import stream_protocol as spoken
from headrace.infrastructure.brokers.rabbitmq.amqp_messages import opened
from headrace.infrastructure.brokers.rabbitmq.chunks import Chunk, chunk
from headrace.infrastructure.brokers.rabbitmq.stream_protocol import StreamProtocol, text
from headrace.infrastructure.brokers.wire import wire_faults

_READING, _LOOKING = 1, 2
#: How many blocks the server may send ahead. A block is as large as publishers made it.
_CREDIT = 4
#: With so many messages here the server is not asked for more.
_ENOUGH = 50_000
#: How long the server has for its last block; an empty stream has none.
_LOOK_SECONDS = 0.5


class StreamFeed:
    """One stream, which is one partition."""

    exhausted = False

    def __init__(
        self, connect: Callable[[], StreamProtocol], shown: str, stream: str, after: int | None, start: Start, consumer: str | None,
        on_gap: OnGap, *, reads: bool,
    ) -> None:  # fmt: skip
        self._connect, self._shown, self._stream, self._consumer, self._reads = connect, shown, stream, consumer, reads
        self._next: int | None = None if after is None else after + 1
        self._start, self._on_gap = start, on_gap
        self._protocol: StreamProtocol | None = None
        self._messages: list[bytes] = []
        self._offsets: list[int] = []
        self._times: list[int] = []
        #: Blocks that came while something else was looked for.
        self._late: list[tuple[int, bytes]] = []
        self._owed = 0

    def open(self) -> StreamFeed:
        if self._reads:
            with self._connected():
                return self
        return self

    def partitions(self) -> Sequence[str]:
        return (self._stream,) if self._reads else ()

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        if not self._reads:
            time.sleep(wait_seconds)  # another member reads it
            return ()
        deadline = time.monotonic() + wait_seconds
        with self._connected() as protocol:
            self._ask_for_more(protocol)
            while len(self._messages) < most:
                wait = 0.0 if self._messages else max(0.0, deadline - time.monotonic())
                came = protocol.chunks(wait)
                self._take(protocol, came)
                if not came and (self._messages or wait == 0.0):
                    break
        return [self._given(most)] if self._messages else []

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """With a consumer's name: have the server keep how far this is, for whoever looks there."""
        if self._consumer is None or self._stream not in positions:
            return
        with self._connected() as protocol:
            offset = struct.pack(">Q", int(positions[self._stream]))
            protocol.tell(spoken.STORE_OFFSET, text(self._consumer) + text(self._stream) + offset)

    def lag(self) -> Mapping[str, int | None]:
        if not self._reads:
            return {}
        with self._connected() as protocol:
            self._take(protocol, protocol.chunks(0.0))
            due = self._offsets[0] if self._offsets else self._next
            # A stream of which nothing has ever come is empty, and would be waited for.
            waiting = 0 if due is None else self._end(protocol) - due
            return {self._stream: max(waiting, len(self._messages))}

    def close(self) -> None:
        if self._protocol is not None:
            self._protocol.close()
            self._protocol = None

    def _take(self, protocol: StreamProtocol, came: Sequence[tuple[int, bytes]]) -> None:
        self._late += came
        while self._late:
            _, data = self._late.pop(0)
            self._owed += 1
            block = chunk(data)
            if block is None:
                continue
            # A block is sent whole: what stands in it before the offset that was asked for has been read.
            skipped = max(0, (self._next or 0) - block.first) if not self._offsets else 0
            first = block.first + skipped
            self._see_that_nothing_is_missing(protocol, first)
            messages = block.messages[skipped:]
            self._messages += messages
            self._offsets += range(first, first + len(messages))
            self._times += [block.published_ms] * len(messages)
        self._ask_for_more(protocol)

    def _see_that_nothing_is_missing(self, protocol: StreamProtocol, first: int) -> None:
        """Offsets have gaps where the server wrote something of its own, and where messages were dropped: then nothing is left before
        this."""
        due = self._offsets[-1] + 1 if self._offsets else self._next
        if due is None or first <= due or self._on_gap == "continue":
            return
        block = self._look(protocol, struct.pack(">H", spoken.FIRST))
        if block is None or block.first >= first:
            raise NonRetryableError(
                f"{self._shown} may have dropped messages {due} to {first - 1}, which were not read yet",
                hint="raise the limits of the stream; `on_gap: continue` goes on with what is left",
            )

    def _ask_for_more(self, protocol: StreamProtocol) -> None:
        if self._owed and len(self._messages) < _ENOUGH:
            protocol.tell(spoken.CREDIT, struct.pack(">BH", _READING, self._owed))
            self._owed = 0

    def _given(self, most: int) -> Messages:
        import pyarrow as pa

        offsets, times = self._offsets[:most], self._times[:most]
        with uncollected():
            found = [opened(message) for message in self._messages[:most]]
            bodies, keys = [one[0] for one in found], [one[1] for one in found]
            headers = headers_of([one[2] for one in found])
            del found
        del self._messages[:most], self._offsets[:most], self._times[:most]
        self._next = offsets[-1] + 1
        return Messages(
            self._stream,
            binary(bodies),
            pa.array(offsets, pa.int64()),
            Position(str(offsets[-1])),
            keys=pa.array(keys, pa.binary()),
            published_at=pa.array(times, pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC")),
            headers=headers,
        )

    def _end(self, protocol: StreamProtocol) -> int:
        """The offset behind the last message."""
        block = self._look(protocol, struct.pack(">H", spoken.LAST))
        return 0 if block is None else block.first + len(block.messages)

    def _look(self, protocol: StreamProtocol, where: bytes) -> Chunk | None:
        """One block of the stream; None when it is empty."""
        self._subscribe(protocol, _LOOKING, where, 1)
        deadline = time.monotonic() + _LOOK_SECONDS
        found = None
        while found is None and (left := deadline - time.monotonic()) > 0:
            for subscription, data in protocol.chunks(left):
                if subscription == _LOOKING:
                    found = chunk(data)
                else:
                    self._late.append((subscription, data))
        protocol.ask(spoken.UNSUBSCRIBE, bytes([_LOOKING]))
        return found

    def _begin(self, protocol: StreamProtocol) -> None:
        """Subscribe behind what was given out last, or where it is begun."""
        self._messages, self._offsets, self._times, self._late, self._owed = [], [], [], [], 0
        if self._next is None and self._start == "latest":
            self._next = self._end(protocol)
        elif self._next is not None and self._next > (end := self._end(protocol)):
            raise NonRetryableError(
                f"{self._shown} ends at {end - 1}, before the position {self._next - 1} of this stream: it was made anew",
                hint="begin anew: replay from earliest",
            )
        if self._next is not None:
            where = struct.pack(">HQ", spoken.OFFSET, self._next)
        elif isinstance(self._start, datetime):
            where = struct.pack(">Hq", spoken.TIMESTAMP, int(self._start.timestamp() * 1000))
        else:
            where = struct.pack(">H", spoken.FIRST)
        self._subscribe(protocol, _READING, where, _CREDIT)

    def _subscribe(self, protocol: StreamProtocol, number: int, where: bytes, credit: int) -> None:
        question = bytes([number]) + text(self._stream) + where + struct.pack(">HI", credit, 0)
        protocol.ask(spoken.SUBSCRIBE, question)

    @contextmanager
    def _connected(self) -> Iterator[StreamProtocol]:
        """The connection. After a fault the next one is made anew, and begins behind what was given out."""
        try:
            with wire_faults(self._shown):
                if self._protocol is None:
                    self._protocol = self._connect()
                    self._begin(self._protocol)
                yield self._protocol
        except HeadraceError:
            self.close()
            raise


def offset_of(position: Position | None) -> int | None:
    if position is None:
        return None
    if not position.isdigit():
        raise NonRetryableError(
            f"`{position}` is no position in a stream of RabbitMQ", hint="a position is the offset of a message, such as 1201"
        )
    return int(position)
