"""Packets of MQTT 5 as bytes. Not what is said with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14

SESSION_EXPIRY, RECEIVE_MAXIMUM, USER_PROPERTY = 0x11, 0x21, 0x26
_WIDTHS = {
    0x01: 1, 0x17: 1, 0x19: 1, 0x24: 1, 0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2, 0x21: 2, 0x22: 2, 0x23: 2, 0x02: 4, 0x11: 4, 0x18: 4,
    0x27: 4,
}  # fmt: skip
_TEXTS = {0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F}
_NUMBER = 0x0B


class Published(NamedTuple):
    """A message as it came; one that need not be acknowledged has no number."""

    number: int | None
    topic: bytes
    payload: bytes
    properties: bytes
    repeated: bool


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + number(len(body)) + body


def number(value: int) -> bytes:
    """A whole number in as many bytes as it needs."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return len(encoded).to_bytes(2, "big") + encoded


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole packets, each its first byte and its body, and what is left of the data."""
    found, at, length = [], 0, len(data)
    while at + 2 <= length:
        size, begin, shift = 0, at + 1, 0
        while begin < length:
            byte = data[begin]
            size |= (byte & 0x7F) << shift
            begin, shift = begin + 1, shift + 7
            if not byte & 0x80:
                break
        else:
            break
        if begin + size > length:
            break
        found.append((data[at], data[begin : begin + size]))
        at = begin + size
    return found, data[at:]


def published(first: int, body: bytes) -> Published:
    """What a packet of kind PUBLISH holds."""
    end = 2 + int.from_bytes(body[:2], "big")
    told, at = None, end
    if first & 0x06:
        told, at = int.from_bytes(body[end : end + 2], "big"), end + 2
    size, at = (body[at], at + 1) if body[at] < 0x80 else read_number(body, at)
    return Published(told, body[2:end], body[at + size :], body[at : at + size], bool(first & 0x08))


def read_number(data: bytes, at: int) -> tuple[int, int]:
    """A whole number, and what is behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def properties(data: bytes) -> Iterator[tuple[int, Any]]:
    """By their identifiers: numbers, bytes, and the name and value of what users gave."""
    at = 0
    while at < len(data):
        kind, at = read_number(data, at)
        if kind in _WIDTHS:
            width = _WIDTHS[kind]
            yield kind, int.from_bytes(data[at : at + width], "big")
            at += width
        elif kind == _NUMBER:
            value, at = read_number(data, at)
            yield kind, value
        elif kind == USER_PROPERTY:
            name, at = _read_text(data, at)
            value_, at = _read_text(data, at)
            yield kind, (name.decode("utf-8", "replace"), value_)
        elif kind in _TEXTS:
            one, at = _read_text(data, at)
            yield kind, one
        else:
            raise ConnectionError(f"the server sent a property that MQTT 5 has not ({kind:#x})")


def _read_text(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end], end
