"""What must become of every record of a delimited file, told by a reader that looks at one byte after the other. Slow and plain."""

from __future__ import annotations

from dataclasses import dataclass

Row = tuple[str | None, ...]


@dataclass
class Broken(Exception):
    """The record cannot be read; it is rejected up to the end of its first line."""


def expected(data: bytes, columns: int, delimiter: str = ",", quote: str = '"') -> list[tuple[str, Row | bytes]]:
    """For each record either `("row", values)` or `("rejected", bytes)`, in the order of the file."""
    found: list[tuple[str, Row | bytes]] = []
    at = 0
    data = data if data.endswith((b"\n", b"\r")) or not data else data + b"\n"
    while at < len(data):
        if columns > 1 and data[at] in b"\r\n":
            at += 1
            continue
        try:
            fields, end = _record(data, at, delimiter.encode(), quote.encode())
        except Broken:
            end = _line_end(data, _line_stop(data, at))
            found.append(("rejected", data[at:end].rstrip(b"\r\n")))
            at = end
            continue
        text = data[at:end].rstrip(b"\r\n")
        while len(fields) > columns and fields[-1] == (b"", False):
            fields.pop()
        if len(fields) != columns or not _is_text(text):
            found.append(("rejected", text))
        else:
            found.append(("row", tuple(None if field == (b"", False) else field[0].decode() for field in fields)))
        at = end
    return found


def _record(data: bytes, at: int, delimiter: bytes, quote: bytes) -> tuple[list[tuple[bytes, bool]], int]:
    """The fields of the record at `at`, each with whether it was quoted, and where the next record starts."""
    fields = []
    while True:
        if data[at : at + 1] == quote or (data[at : at + 2] == b" " + quote and delimiter != b" "):
            value, at = _quoted(data, at + (data[at : at + 1] == b" "), quote)
            while data[at : at + 1] == b" " and delimiter != b" ":
                at += 1
            fields.append((value, True))
        else:
            start = at
            while data[at : at + 1] not in (delimiter, b"\n", b"\r"):
                if data[at] == 0:
                    raise Broken
                at += 1
            fields.append((data[start:at], False))
        if data[at : at + 1] == delimiter:
            at += 1
        elif data[at : at + 1] in (b"\n", b"\r"):
            return fields, _line_end(data, at)
        else:
            raise Broken


def _quoted(data: bytes, at: int, quote: bytes) -> tuple[bytes, int]:
    value = bytearray()
    at += 1
    while at < len(data):
        char = data[at : at + 1]
        if char == b"\0":
            raise Broken
        if char == quote:
            if data[at + 1 : at + 2] != quote:
                return bytes(value), at + 1
            at += 1
        value += char
        at += 1
    raise Broken


def _line_stop(data: bytes, at: int) -> int:
    while data[at] not in b"\r\n":
        at += 1
    return at


def _line_end(data: bytes, at: int) -> int:
    return at + (2 if data[at : at + 2] == b"\r\n" else 1)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
