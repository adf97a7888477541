"""Takes a page of JSON apart: the records at a path, each as the text that stands there, and what stands around them.

No digit of a record changes, because no record is written anew. Not whether a
record is any good (see `json_records`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from headrace.infrastructure.formats.json_path import MISSING
from headrace.records import record

_SPACE = re.compile(r"[ \t\n\r]*")
#: The value that begins at a character, and where it ends. Raises `StopIteration` with the place where there is none.
_value: Callable[[str, int], tuple[Any, int]] = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009 - typeshed knows it not
_BREAKS = re.compile(r"[\r\n]+")


class NoPage(Exception):
    """Why a text is no page: where it stops being JSON."""


@record
class Page:
    """`around` is the document without its records, which are None when the path leads to neither an array nor an object."""

    around: Any
    records: tuple[str, ...] | None


def page_of(text: str, path: Sequence[str | int]) -> Page:
    """The page that a text is. Records are what the path leads to: the items of an array, or a single object, or nothing when
    that is null. Each is one line. Raises `NoPage`."""
    try:
        walk = _Walk(text)
        around = walk.down(tuple(path))
        if walk.next() != "":
            raise NoPage(f"text follows the JSON at character {walk.at + 1}")
    except StopIteration as error:
        at = error.value if isinstance(error.value, int) else len(text)
        raise NoPage("it ends too early" if at >= len(text.rstrip()) else f"it is not JSON at character {at + 1}") from None
    except json.JSONDecodeError as error:
        raise NoPage(f"it is not JSON at character {error.pos + 1}") from None
    except (RecursionError, ValueError) as error:
        raise NoPage(f"its JSON cannot be read ({error})") from None
    return Page(around, None if walk.records is None else tuple(walk.records))


class _Walk:
    """Goes down a path and keeps what it passes by; at the end of the path it cuts the records out."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.records: list[str] | None = None

    def next(self) -> str:
        """The next character that is not space, which `at` then stands at; empty at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        self.next()
        value, self.at = _value(self.text, self.at)
        return value

    def expect(self, *marks: str) -> str:
        mark = self.next()
        if mark == "":
            raise StopIteration(len(self.text))
        if mark not in marks:
            raise StopIteration(self.at)
        self.at += 1
        return mark

    def down(self, path: tuple[str | int, ...]) -> Any:
        if not path:
            return self.cut()
        mark = self.next()
        if mark == "{" and isinstance(path[0], str):
            return self.members(path)
        if mark == "[" and isinstance(path[0], int):
            return self.items(path)
        return self.value()

    def members(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        self.expect("{")
        found: dict[str, Any] = {}
        if self.next() == "}":
            self.at += 1
            return found
        while True:
            if self.next() != '"':
                raise StopIteration(self.at)
            key = self.value()
            self.expect(":")
            found[key] = self.down(path[1:]) if key == path[0] else self.value()
            if self.expect(",", "}") == "}":
                return found

    def items(self, path: tuple[str | int, ...]) -> list[Any]:
        self.expect("[")
        found: list[Any] = []
        if self.next() == "]":
            self.at += 1
            return found
        while True:
            found.append(self.down(path[1:]) if len(found) == path[0] else self.value())
            if self.expect(",", "]") == "]":
                return found

    def cut(self) -> Any:
        """The records, which are not kept a second time in what stands around them."""
        mark = self.next()
        if mark == "[":
            self.records = self.cut_items()
            return None
        start = self.at
        value = self.value()
        if isinstance(value, dict):
            self.records = [_line(self.text[start : self.at])]
        elif value is None:
            self.records = []
        return value

    def cut_items(self) -> list[str]:
        self.expect("[")
        found: list[str] = []
        if self.next() == "]":
            self.at += 1
            return found
        text, at = self.text, self.at
        while True:
            _, end = _value(text, at)
            found.append(_line(text[at:end]))
            self.at = end
            if self.expect(",", "]") == "]":
                return found
            self.next()
            at = self.at


def _line(text: str) -> str:
    """On one line: breaks can only stand between tokens of JSON."""
    return _BREAKS.sub(" ", text) if "\n" in text or "\r" in text else text


def names_in(around: Any) -> list[str]:
    """The names at the top of a page, to be told when the records are not where they should be."""
    return list(around) if isinstance(around, dict) else []


def found(value: Any) -> bool:
    """Whether a value at a path says anything: it is there, and neither null nor empty."""
    return value is not MISSING and value is not None and value != ""
