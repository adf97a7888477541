"""An open feed of a stream of JetStream: lanes over one connection, which is made anew when it broke. Not how a lane is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers import gathering
from headrace.infrastructure.brokers.nats.jetstream import JetStream
from headrace.infrastructure.brokers.nats.lanes import Lane
from headrace.infrastructure.brokers.wire import wire_faults


class NatsFeed:
    """Some partitions of one stream."""

    exhausted = False

    def __init__(self, connect: Callable[[], JetStream], shown: str, lanes: Sequence[Lane]) -> None:
        self._connect, self._shown, self._lanes = connect, shown, lanes
        self._stream: JetStream | None = None
        self._by_sid: Mapping[bytes, Lane] = {}

    def open(self, settle: Callable[[JetStream], None]) -> NatsFeed:
        """Connect; `settle` finds where the lanes begin."""
        with self._connected(settle):
            return self

    def partitions(self) -> Sequence[str]:
        return tuple(lane.name for lane in self._lanes)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        if not self._lanes:
            time.sleep(wait_seconds)  # a member for whom no partition is left
            return ()
        with self._connected() as stream:
            self._gather(stream, most, time.monotonic() + wait_seconds)
            share = max(1, most // len(self._lanes))
            given = [lane.give(share) for lane in self._lanes]
        return [messages for messages in given if messages is not None]

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        with self._connected() as stream:
            for lane in self._lanes:
                if lane.name in positions:
                    lane.acknowledge(stream, positions[lane.name])

    def lag(self) -> Mapping[str, int | None]:
        with self._connected() as stream:
            return {lane.name: lane.lag(stream) for lane in self._lanes}

    def close(self) -> None:
        if self._stream is None:
            return
        try:
            with self._connected() as stream:
                for lane in self._lanes:
                    lane.leave(stream)
        except HeadraceError:
            pass  # who cannot be told that we go will find that we are gone
        self._drop()

    def _gather(self, stream: JetStream, most: int, deadline: float) -> None:
        """Wait for something, and take what else is there then."""
        share = gathering.MOST_BYTES // len(self._lanes)
        for lane in self._lanes:
            lane.ask_for_more(stream, share)
        while True:
            there = sum(len(lane.arrived) for lane in self._lanes)
            if there >= most or sum(lane.size for lane in self._lanes) >= gathering.MOST_BYTES:
                return
            left = max(0.0, deadline - time.monotonic())
            came = stream.protocol.receive(0.0 if there else left)
            if not came and (there or left == 0.0):
                for lane in self._lanes:
                    lane.see_that_it_lives()
                return
            for sid, deliveries in came.items():
                if sid in self._by_sid:
                    self._by_sid[sid].take(deliveries)
            for lane in self._lanes:
                lane.ask_for_more(stream, share)

    @contextmanager
    def _connected(self, settle: Callable[[JetStream], None] | None = None) -> Iterator[JetStream]:
        """The connection. After a fault the next one is made anew, and the lanes begin behind what was given out."""
        try:
            with wire_faults(self._shown):
                if self._stream is None:
                    self._stream = self._connect()
                    if settle is not None:
                        settle(self._stream)
                    for lane in self._lanes:
                        lane.open(self._stream)
                    self._by_sid = {lane.sid: lane for lane in self._lanes}
                yield self._stream
        except HeadraceError:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.protocol.close()
            self._stream = None
