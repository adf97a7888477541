"""Where each character of a YAML scalar's value stands in the source. Not where nodes begin (the parser knows that)."""

from __future__ import annotations

import re
from typing import Any

_FOLD = re.compile(r"[ \t]*(?:\r\n|\r|\n)[ \t]*(?:(?:\r\n|\r|\n)[ \t]*)*")
_BREAK = re.compile(r"\r\n|\r|\n")
_CONTINUED = re.compile(r"\\(?:\r\n|\r|\n)[ \t]*")
_HEX = {"x": 2, "u": 4, "U": 8}


def source_offsets(text: str, event: Any) -> list[int]:
    """For each character of the scalar's value, and for its end, the index in `text` where it was written."""
    start, end = event.start_mark.index, event.end_mark.index
    match event.style:
        case "|" | ">":
            found = _block(text, start, end, len(event.value))
        case "'" | '"':
            found = _flow(text, start + 1, end - 1, event.style)
        case _:
            found = _flow(text, start, end, None)
    # A writing that is not understood here must not point past the scalar.
    return (found + [found[-1] if found else start] * (len(event.value) + 1))[: len(event.value) + 1]


def _step(text: str, i: int, quote: str | None) -> tuple[int, int]:
    """How many characters the writing at `i` takes, and how many it stands for."""
    if quote == "'" and text.startswith("''", i):
        return 2, 1
    if quote != '"' or text[i] != "\\":
        return 1, 1
    if line := _CONTINUED.match(text, i):
        return line.end() - i, 0
    return 2 + _HEX.get(text[i + 1 : i + 2], 0), 1


def _flow(text: str, start: int, end: int, quote: str | None) -> list[int]:
    found: list[int] = []
    i = start
    while i < end:
        if fold := _FOLD.match(text, i, end):
            breaks = len(_BREAK.findall(fold[0]))
            found += [i] * max(1, breaks - 1)
            i = fold.end()
            continue
        length, stands = _step(text, i, quote)
        found += [i] * stands
        i += length
    return [*found, end]


def _block(text: str, start: int, end: int, length: int) -> list[int]:
    """Line by line. A folded line's break is one character, as in a literal one, but for paragraphs, which are near enough."""
    header = _BREAK.search(text, start, end)
    if header is None:
        return [start]
    lines = text[header.end() : end].splitlines(keepends=True)
    filled = [line for line in lines if line.strip()]
    given = re.match(r"[|>][-+]?([1-9])", text[start : header.end()])
    indent = len(filled[0]) - len(filled[0].lstrip(" ")) if filled else 0
    if given:
        indent = min(indent, int(given[1]))
    found: list[int] = []
    i = header.end()
    for line in lines:
        body = len(line.rstrip("\r\n"))
        found += range(i + min(indent, body), i + body)
        if body < len(line):
            found.append(i + body)
        i += len(line)
    return [*found[:length], found[length] if length < len(found) else end]
