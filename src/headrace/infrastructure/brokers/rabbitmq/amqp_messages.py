"""Messages as streams keep them, which is AMQP 1.0: the body, and the properties that applications gave. Not the rest of AMQP."""

from __future__ import annotations

import json
import struct
from typing import Any

_ANNOTATIONS, _APPLICATION_PROPERTIES, _DATA, _VALUE = 0x72, 0x74, 0x75, 0x77
#: A body of bytes and nothing else: what most publishers write. Its length is one byte, or four.
_SHORT, _LONG = b"\x00\x53\x75\xa0", b"\x00\x53\x75\xb0"
#: A section is a described value. Those with a size can be passed over: the size is one byte, or four.
_DESCRIBED, _SHORT_SIZES, _LONG_SIZES = 0x53, frozenset((0xA0, 0xA1, 0xC0, 0xC1)), frozenset((0xB0, 0xB1, 0xD0, 0xD1))
_ROUTING_KEY = b"\xa3\x0dx-routing-key"
#: Values of a fixed width, by their code.
_FIXED = {
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x56: ">?", 0x60: ">H", 0x61: ">h", 0x70: ">I", 0x71: ">i",
    0x72: ">f", 0x73: ">I", 0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip
_EMPTY: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0, 0x45: []}


#: A message as it was published: its body, what it was routed by, and its properties.
Opened = tuple[bytes, bytes | None, list[tuple[str, bytes]] | None]


def opened(message: bytes) -> Opened:
    """What is in a message. One that is not AMQP 1.0 is its own body: some publishers write plain bytes."""
    if message.startswith(_SHORT) and len(message) == 5 + message[4]:
        return message[5:], None, None
    if message.startswith(_LONG) and len(message) == 8 + int.from_bytes(message[4:8], "big"):
        return message[8:], None, None
    try:
        return _sections(message)
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, AttributeError, TypeError):
        return message, None, None


def _sections(message: bytes) -> Opened:
    """Section by section, opening only what is wanted."""
    body: list[bytes] = []
    routing_key, headers, at = None, None, 0
    while at < len(message):
        if message[at] != 0 or message[at + 1] != _DESCRIBED:
            raise ValueError("a section begins with a descriptor")
        section, code = message[at + 2], message[at + 3]
        width = 1 if code in _SHORT_SIZES else 4
        begin = at + 4 + width
        stop = begin + int.from_bytes(message[at + 4 : begin], "big")
        if code not in _SHORT_SIZES and code not in _LONG_SIZES:
            value, stop = _value(message, at + 3)
            if section == _VALUE:
                body.append(as_bytes(value))
        elif stop > len(message):
            raise ValueError("a section is longer than the message")
        elif section == _DATA:
            body.append(message[begin:stop])
        elif section == _VALUE:
            body.append(as_bytes(_value(message, at + 3)[0]))
        elif section == _APPLICATION_PROPERTIES:
            headers = [(str(name), as_bytes(one)) for name, one in _value(message, at + 3)[0].items()] or None
        elif section == _ANNOTATIONS and (found := message.find(_ROUTING_KEY, begin, stop)) >= 0:
            routing_key = as_bytes(_value(message, found + len(_ROUTING_KEY))[0])
        at = stop
    return b"".join(body), routing_key, headers


def as_bytes(value: Any) -> bytes:
    """A value of a header, which AMQP has types for."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, default=str)).encode()


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """A value, and what is behind it."""
    code, at = data[at], at + 1
    if code in _EMPTY:
        return _EMPTY[code], at
    if code in _FIXED:
        form = _FIXED[code]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if code == 0x98:
        return data[at : at + 16].hex(), at + 16
    width = 1 if code >> 4 in (0xA, 0xC) else 4 if code >> 4 in (0xB, 0xD) else 0
    if not width:
        raise ValueError(f"no value of AMQP begins with {code:#x}")
    size, begin = int.from_bytes(data[at : at + width], "big"), at + width
    stop = begin + size
    if stop > len(data):
        raise ValueError("a value is longer than the message")
    match code & 0xF:
        case 0:
            return (data[begin:stop] if code >> 4 in (0xA, 0xB) else _several(data, begin, width)), stop
        case 1 if code >> 4 in (0xA, 0xB):
            return data[begin:stop].decode(), stop
        case 1:
            values = _several(data, begin, width)
            return dict(zip(values[::2], values[1::2], strict=True)), stop
        case 3:
            return data[begin:stop].decode("ascii"), stop
    raise ValueError(f"no value of AMQP begins with {code:#x}")


def _several(data: bytes, at: int, width: int) -> list[Any]:
    count, at = int.from_bytes(data[at : at + width], "big"), at + width
    values = []
    for _ in range(count):
        value, at = _value(data, at)
        values.append(value)
    return values
