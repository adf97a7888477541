r"""Takes JSON apart without changing a digit: objects become lines of `{"key": "text"}`. For what an engine's parser would round,
merge or choke on: numbers longer than a double, keys that repeat, arrays with broken items, nesting without end.

Nothing here recurses, so no depth of nesting can exhaust the stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

from headrace.infrastructure.formats.delimited_grammar import LINE_END
from headrace.infrastructure.formats.delimited_tidy import LONGEST
from headrace.infrastructure.formats.rejects import KEPT, Rejects

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"(?>(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*)"'
_TOKEN = re.compile(
    _SPACE + rb"(?:(?P<mark>[\[\]{},:])|(?P<string>" + _STRING + rb")|(?P<plain>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    rb"|true|false|null|NaN|-?Infinity)(?![0-9A-Za-z.+-]))"
)  # fmt: skip
_END = re.compile(_SPACE + rb"\Z")
_CLOSES = {b"{": b"}", b"[": b"]"}

#: In an array, the items are found without judging them: strings, brackets, and what lies between.
_OUTLINE = re.compile(
    rb'(?P<string>"(?>(?:[^"\\]|\\.)*)")|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)|[^"\[\]{},]++|"', re.DOTALL
)


class Unreadable(Exception):
    """Why a text is no record: a word and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


def members(text: bytes) -> dict[str, str | None]:
    """The members of one object: scalars as text, nested values as JSON text, as they stand there. Null is None."""
    at, token = _next(text, 0)
    if token[0] != b"{":
        _value(text, 0)
        raise Unreadable("not_an_object", "a JSON value, but not an object")
    found: dict[str, str | None] = {}
    at, token = _next(text, at)
    while token[0] != b"}":
        if token[1] != "string":
            raise Unreadable("not_json", f"a key in quotes is expected before byte {at + 1}")
        key = _string(token[0])
        at, colon = _next(text, at)
        if colon[0] != b":":
            raise Unreadable("not_json", f"a colon is expected before byte {at + 1}")
        if key in found:
            raise Unreadable("duplicate_key", f"the key `{key[:80]}` stands there twice")
        at, found[key] = _value(text, at)
        at, token = _next(text, at)
        if token[0] == b",":
            at, token = _next(text, at)
        elif token[0] != b"}":
            raise Unreadable("not_json", f"a comma or a brace is expected before byte {at + 1}")
    if not _END.match(text, at):
        raise Unreadable("not_json", "text follows the object")
    return found


def _next(text: bytes, at: int) -> tuple[int, tuple[bytes, str]]:
    token = _TOKEN.match(text, at)
    if token is None:
        raise Unreadable("not_json", f"not JSON from byte {at + 1} on" if text[at:].strip() else "the text ends too early")
    kind = str(token.lastgroup)
    return token.end(), (token[kind], kind)


def _value(text: bytes, at: int) -> tuple[int, str | None]:
    """The value at `at` as text, and where it ends."""
    end, (token, kind) = _next(text, at)
    if kind == "string":
        return end, _string(token)
    if kind == "plain":
        return end, None if token == b"null" else token.decode()
    if token not in _CLOSES:
        raise Unreadable("not_json", f"a value is expected before byte {end}")
    start = end - 1
    end = _nested(text, end, token)
    return end, text[start:end].decode()


def _nested(text: bytes, at: int, opened: bytes) -> int:
    """Where the array or object that was just opened ends; its inside is checked on the way."""
    waiting = [opened]
    expect = "item"
    while waiting:
        at, (token, kind) = _next(text, at)
        closes = _CLOSES[waiting[-1]]
        if token == closes and kind == "mark" and expect in ("item", "after"):
            waiting.pop()
            expect = "after"
        elif expect == "after" and token == b",":
            expect = "item"
        elif expect == "item" and waiting[-1] == b"{" and kind == "string":
            _string(token)
            at, colon = _next(text, at)
            if colon[0] != b":":
                raise Unreadable("not_json", f"a colon is expected before byte {at}")
            expect = "value"
        elif expect == "value" or (expect == "item" and waiting[-1] == b"["):
            if token in _CLOSES:
                waiting.append(token)
                expect = "item"
            elif kind == "mark":
                raise Unreadable("not_json", f"a value is expected before byte {at}")
            else:
                expect = "after"
                if kind == "string":
                    _string(token)
        else:
            raise Unreadable("not_json", f"`{token[:20].decode(errors='replace')}` is not expected at byte {at}")
    return at


def _string(token: bytes) -> str:
    try:
        text: str = json.loads(token) if b"\\" in token else token[1:-1].decode()
        text.encode()
    except UnicodeDecodeError as error:
        raise Unreadable("encoding", "not text in the encoding of the file") from error
    except UnicodeEncodeError as error:
        raise Unreadable("not_json", "half of a surrogate pair stands in a string") from error
    return text


def tidy_lines(blocks: Iterator[bytes], out: TextIO, rejects: Rejects) -> int:
    """Write each line that is an object, reject every other that is not blank; the length of the longest."""
    longest = 0
    rest = b""
    for block in blocks:
        buffer = rest + block
        *lines, rest = buffer.split(b"\n")
        for line in lines:
            longest = max(longest, _record(line, out, rejects))
        if len(rest) > LONGEST:
            rest = _skip_line(rest, blocks, rejects)
    return max(longest, _record(rest, out, rejects))


def _skip_line(start: bytes, blocks: Iterator[bytes], rejects: Rejects) -> bytes:
    """A line longer than any record may be: reject it, and what of the block behind it has been read."""
    length = len(start)
    rest = b""
    for block in blocks:
        found = LINE_END.search(block)
        length += found.start() if found else len(block)
        if found:
            rest = block[found.end() :]
            break
    rejects.add(start, "too_long", f"a record may have {LONGEST:,} bytes, this line has {length:,}")
    return rest


def is_object(text: bytes) -> bool:
    """Whether a text is one object, even one that no row can come of, such as with a key that repeats."""
    try:
        members(text)
    except Unreadable as error:
        return error.reason not in ("not_json", "not_an_object")
    return True


def tidy_object(blocks: Iterator[bytes], out: TextIO, rejects: Rejects) -> int:
    """Write the one object that the text is, or reject it."""
    text, length = b"", 0
    for block in blocks:
        length += len(block)
        text = text if len(text) > LONGEST else text + block
    if length > LONGEST:
        rejects.add(text, "too_long", f"a record may have {LONGEST:,} bytes, this object has {length:,}")
        return 0
    return _record(text, out, rejects)


def tidy_array(blocks: Iterator[bytes], out: TextIO, rejects: Rejects) -> int:
    """As `tidy_lines` for the items of an array. An item is what stands between commas outside of strings and brackets.

    When brackets or quotes do not match, nobody can say where the next item starts: the rest is rejected as one text.
    """
    longest = 0
    items = _Items(blocks)
    for item in items:
        longest = max(longest, _record(item, out, rejects))
    rest, length = items.rest, len(items.rest)
    for block in blocks:
        length += len(block)
        rest = rest if len(rest) > KEPT else rest + block
    if rest.strip(b" \t\r\n"):
        rejects.add(rest, "broken_array", f"no array goes on here, so {length:,} bytes cannot be told apart")
    return longest


class _Items:
    """The items of an array, judged by nothing but brackets and quotes; afterwards `rest` is what did not belong to it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.rest = b""

    def __iter__(self) -> Iterator[bytes]:
        while self._more() and not self.rest.strip(b" \t\r\n"):
            continue
        buffer = self.rest.lstrip(b" \t\r\n")
        if not buffer.startswith(b"["):
            return
        self.rest, depth, at = buffer[1:], 1, 0
        while depth:
            token = _OUTLINE.match(self.rest, at)
            if token is None or token.end() == len(self.rest) or token[0] == b'"':
                if self._more() and len(self.rest) <= LONGEST:
                    continue
                if token is None:
                    return
            at = token.end()
            depth += (token.lastgroup == "open") - (token.lastgroup == "close")
            if depth == 0 or (depth == 1 and token.lastgroup == "comma"):
                item, self.rest, at = self.rest[: at - 1], self.rest[at:], 0
                yield item

    def _more(self) -> bool:
        block = next(self.blocks, None)
        self.rest += block or b""
        return block is not None


def _record(text: bytes, out: TextIO, rejects: Rejects) -> int:
    """Write or reject one record, unless it is blank; its length."""
    stripped = text.strip(b" \t\r\n")
    if not stripped:
        return 0
    try:
        found = members(stripped)
        line = json.dumps(found, ensure_ascii=False)
        line.encode()
    except Unreadable as error:
        rejects.add(stripped, error.reason, str(error))
        return 0
    except UnicodeError:
        rejects.add(stripped, "encoding", "not text in the encoding of the file")
        return 0
    rejects.accepted += 1
    out.write(line + "\n")
    return len(line) * 4
