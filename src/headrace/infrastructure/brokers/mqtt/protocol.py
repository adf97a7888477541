"""The protocol of MQTT 5 over one connection: a session, subscriptions, publishing at least once. Not reconnecting.

Written here because clients for Python either acknowledge by themselves, or take four times as long for a message. See docs/adr/0037.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.brokers.mqtt import packets
from headrace.infrastructure.brokers.mqtt.packets import Published, packet, text
from headrace.infrastructure.brokers.wire import Wire, read_until
from headrace.records import record

_AT_LEAST_ONCE = 1
#: Of a subscription: what is retained comes only when it is new, or else it came anew with every connection.
_RETAINED_IF_NEW = 1 << 4
_REFUSED = 0x80
_FOR_EVER = 0xFFFFFFFF

#: By reason code: what it says, what to do, and whether it passes.
_REASONS = {
    0x01: ("the server does not speak MQTT 5", "see that it is new enough: Mosquitto 1.6, EMQX 3, HiveMQ 4", False),
    0x84: ("the server does not speak MQTT 5", "see that it is new enough: Mosquitto 1.6, EMQX 3, HiveMQ 4", False),
    0x85: ("the server does not take our client id", "give another `client_id`", False),
    0x86: ("the user or the password is wrong", "see that both are right, and known there", False),
    0x87: ("we are not authorised", "see that user and password are right, and may use this topic", False),
    0x8A: ("we are banned", "ask whoever runs the server", False),
    0x8E: ("somebody else has taken the session over", "see that no other process runs with this `client_id`", False),
    0x8F: ("the topic filter is none that the server takes", "see the rules of MQTT for `+` and `#`", False),
    0x90: ("the topic is none that the server takes", "write it without `+` and `#`", False),
    0x95: ("a message is larger than the server takes", "let the format put less into a message", False),
    0x99: ("the server does not take the form of the payload", "see the rules of the server", False),
    0x9E: ("the server has no shared subscriptions", "run one worker, or another server", False),
}  # fmt: skip


@record
class Session:
    """What a client wants to be kept for it while it is away."""

    client_id: str
    seconds: int
    """How long; 0 is not at all."""
    most: int
    """How many messages may be underway that are not acknowledged."""


class MqttProtocol:
    """One connection, from its first packet on."""

    def __init__(self, wire: Wire, shown: str, seconds: float) -> None:
        self._wire, self._shown, self._seconds = wire, shown, seconds
        self._rest = b""
        self._came: list[Published] = []
        self._answers: dict[tuple[int, int], bytes] = {}
        self._numbers = 0
        self.resumed = False
        self.window = 2000
        """How many messages of ours are underway at the most."""

    @property
    def encryption(self) -> str | None:
        return self._wire.encryption

    def begin(self, session: Session, user: str | None, password: str | None) -> None:
        """Say who we are. Raises what the server has against it."""
        flags = (0 if session.seconds else 0x02) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
        kept = min(session.seconds, _FOR_EVER).to_bytes(4, "big")
        wishes = bytes([packets.SESSION_EXPIRY]) + kept + bytes([packets.RECEIVE_MAXIMUM]) + session.most.to_bytes(2, "big")
        body = text("MQTT") + bytes([5, flags, 0, 0]) + packets.number(len(wishes)) + wishes + text(session.client_id)
        body += b"".join(text(one) for one in (user, password) if one is not None)
        self._wire.send(packet(packets.CONNECT, body))
        answer = self._answer(packets.CONNACK, 0)
        if answer[1]:
            raise refused(self._shown, answer[1])
        self.resumed = bool(answer[0] & 1)
        size, at = packets.read_number(answer, 2)
        for kind, value in packets.properties(answer[at : at + size]):
            if kind == packets.RECEIVE_MAXIMUM:
                self.window = min(value, self.window)

    def subscribe(self, topics: Sequence[str]) -> None:
        wanted = self._next()
        filters = b"".join(text(topic) + bytes([_AT_LEAST_ONCE | _RETAINED_IF_NEW]) for topic in topics)
        self._wire.send(packet(packets.SUBSCRIBE, wanted.to_bytes(2, "big") + b"\0" + filters, 0x02))
        answer = self._answer(packets.SUBACK, wanted)
        size, at = packets.read_number(answer, 0)
        for topic, code in zip(topics, answer[at + size :], strict=True):
            if code >= _REFUSED:
                raise refused(f"{self._shown}, topic `{topic}`", code)

    def receive(self, wait_seconds: float) -> list[Published]:
        """Messages that have come, as soon as there is something."""
        if not self._came:
            self._read(wait_seconds)
        came, self._came = self._came, []
        return came

    def acknowledge(self, numbers: Sequence[int]) -> None:
        self._wire.send(b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in numbers))

    def publish(self, topic: str, messages: Sequence[tuple[bytes, bytes]], *, retain: bool) -> None:
        """Payloads, each with its properties. Comes back when the server has taken them all for good."""
        for begin in range(0, len(messages), self.window):
            some = messages[begin : begin + self.window]
            numbers = [self._next() for _ in some]
            self._wire.send(
                b"".join(
                    packet(
                        packets.PUBLISH,
                        text(topic) + number.to_bytes(2, "big") + packets.number(len(wishes)) + wishes + payload,
                        _AT_LEAST_ONCE << 1 | retain,
                    )
                    for number, (payload, wishes) in zip(numbers, some, strict=True)
                )
            )
            for number in numbers:
                answer = self._answer(packets.PUBACK, number)
                if answer and answer[0] >= _REFUSED:
                    raise refused(f"{self._shown}, topic `{topic}`", answer[0])

    def ping(self) -> None:
        """Come back when the server has answered."""
        self._wire.send(packet(packets.PINGREQ, b""))
        self._answer(packets.PINGRESP, 0)

    def leave(self) -> None:
        """Say that we go. The session stays as long as was agreed."""
        self._wire.send(packet(packets.DISCONNECT, b""))

    def close(self) -> None:
        self._wire.close()

    def _next(self) -> int:
        self._numbers = self._numbers % 65_535 + 1
        return self._numbers

    def _answer(self, kind: int, number: int) -> bytes:
        """What is behind the number of an answer."""
        self._until(lambda: (kind, number) in self._answers)
        return self._answers.pop((kind, number))

    def _until(self, done: Callable[[], bool]) -> None:
        read_until(done, self._read, self._seconds, self._shown)

    def _read(self, wait_seconds: float) -> None:
        data = self._wire.receive(wait_seconds)
        if not data:
            return
        found, self._rest = packets.split(self._rest + data if self._rest else data)
        for first, body in found:
            match first >> 4:
                case packets.PUBLISH:
                    self._came.append(packets.published(first, body))
                case packets.PUBACK | packets.SUBACK:
                    self._answers[first >> 4, int.from_bytes(body[:2], "big")] = body[2:]
                case packets.CONNACK | packets.PINGRESP:
                    self._answers[first >> 4, 0] = body
                case packets.DISCONNECT:
                    raise refused(self._shown, body[0] if body else 0)
                case other:
                    raise ConnectionError(f"what answers there sends what MQTT 5 has not ({other})")


def refused(shown: str, code: int) -> RunError:
    said, hint, passing = _REASONS.get(code, (f"the server refuses it (reason {code:#04x})", "see the log of the server", True))
    return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
