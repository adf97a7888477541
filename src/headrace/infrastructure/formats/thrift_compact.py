"""Thrift's compact protocol, read into plain values and written back: what Parquet's footers and page headers are made of.

Generic on purpose: fields that this code has never heard of survive a round trip. Not a Thrift compiler, and not RPC.
"""

from __future__ import annotations

import struct
from typing import Any

#: A struct: its fields in the order written, by number, each with the type it was written as.
Struct = dict[int, tuple[int, Any]]

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(14)

#: Nothing in Parquet nests deeper; what does is damage, and must not exhaust the stack.
DEEPEST = 32


class Malformed(ValueError):
    """The bytes are not a value of the compact protocol."""


class Truncated(Malformed):
    """The bytes end before the value does; more of them may help."""


def decode(data: bytes, start: int = 0) -> tuple[Struct, int]:
    """The struct that begins at `start`, and the position behind it."""
    reader = _Reader(data, start)
    try:
        return reader.struct(0), reader.at
    except (IndexError, struct.error):
        raise Truncated("the data end in the middle of a value") from None


def encode(fields: Struct) -> bytes:
    out = bytearray()
    _write_struct(out, fields)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        value = self.data[self.at]
        self.at += 1
        return value

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
            if shift > 63:
                raise Malformed("a number is longer than 64 bits")

    def signed(self) -> int:
        zigzag = self.varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise IndexError
        value = bytes(self.data[self.at : self.at + count])
        self.at += count
        return value

    def struct(self, depth: int) -> Struct:
        if depth > DEEPEST:
            raise Malformed(f"structs are nested more than {DEEPEST} deep")
        fields: Struct = {}
        number = 0
        while (head := self.byte()) != STOP:
            number = number + (head >> 4) if head >> 4 else self.signed()
            kind = head & 0x0F
            fields[number] = (kind, kind == TRUE if kind in (TRUE, FALSE) else self.value(kind, depth))
        return fields

    def value(self, kind: int, depth: int) -> Any:
        match kind:
            case 4 | 5 | 6:  # I16, I32, I64
                return self.signed()
            case 8:  # BINARY
                return self.take(self.varint())
            case 12:  # STRUCT
                return self.struct(depth + 1)
            case 9 | 10:  # LIST, SET
                return self.items(depth)
            case 1 | 2 | 3:  # inside a list a truth value is a byte like any other
                return self.byte()
            case 7:  # DOUBLE
                return struct.unpack("<d", self.take(8))[0]
            case 11:  # MAP
                return self.pairs(depth)
            case 13:  # UUID
                return self.take(16)
        raise Malformed(f"there is no type {kind}")

    def items(self, depth: int) -> tuple[int, list[Any]]:
        head = self.byte()
        count = head >> 4 if head >> 4 < 15 else self.varint()
        if count > len(self.data) - self.at:
            raise IndexError
        kind = head & 0x0F
        return kind, [self.value(kind, depth + 1) for _ in range(count)]

    def pairs(self, depth: int) -> tuple[int, int, list[tuple[Any, Any]]]:
        count = self.varint()
        if count == 0:
            return 0, 0, []
        if count > len(self.data) - self.at:
            raise IndexError
        head = self.byte()
        key, value = head >> 4, head & 0x0F
        return key, value, [(self.value(key, depth + 1), self.value(value, depth + 1)) for _ in range(count)]


def _write_struct(out: bytearray, fields: Struct) -> None:
    last = 0
    for number, (kind, value) in fields.items():
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE  # noqa: PLW2901  the truth value is the type
        if 0 < number - last < 16:
            out.append((number - last) << 4 | kind)
        else:
            out.append(kind)
            _write_signed(out, number)
        if kind not in (TRUE, FALSE):
            _write_value(out, kind, value)
        last = number
    out.append(STOP)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    match kind:
        case 4 | 5 | 6:
            _write_signed(out, value)
        case 8:
            _write_varint(out, len(value))
            out += value
        case 12:
            _write_struct(out, value)
        case 9 | 10:
            _write_items(out, *value)
        case 1 | 2 | 3:
            out.append(value)
        case 7:
            out += struct.pack("<d", value)
        case 11:
            _write_pairs(out, *value)
        case 13:
            out += value
        case _:
            raise Malformed(f"there is no type {kind}")


def _write_items(out: bytearray, kind: int, items: list[Any]) -> None:
    if len(items) < 15:
        out.append(len(items) << 4 | kind)
    else:
        out.append(0xF0 | kind)
        _write_varint(out, len(items))
    for item in items:
        _write_value(out, kind, item)


def _write_pairs(out: bytearray, key: int, value: int, pairs: list[tuple[Any, Any]]) -> None:
    _write_varint(out, len(pairs))
    if pairs:
        out.append(key << 4 | value)
    for k, v in pairs:
        _write_value(out, key, k)
        _write_value(out, value, v)


def _write_signed(out: bytearray, number: int) -> None:
    _write_varint(out, number << 1 if number >= 0 else (-number << 1) - 1)


def _write_varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
