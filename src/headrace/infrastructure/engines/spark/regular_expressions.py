"""RE2's regular expressions as Java's, which read nearly alike and mean other things by `$`, `.`, `\\s`, `\\b` and a bracket in
brackets. What cannot be made to mean the same is refused.

Both take the first alternative that fits, so what a match covers is the same too, but for repeats of what may be empty.
"""

from __future__ import annotations

import re
from typing import Literal

from headrace.records import record

Use = Literal["match", "extract", "replace"]

_WORD = "[0-9A-Za-z_]"
_SPACE = r"\t\n\f\r "
_EDGE = rf"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))"
_NO_EDGE = rf"(?:(?<!{_WORD})(?!{_WORD})|(?<={_WORD})(?={_WORD}))"
#: Escapes outside of brackets that mean no character.
_ANCHORS = {"A": r"\A", "z": r"\z", "b": _EDGE, "B": _NO_EDGE}
_SETS = {"d": "[0-9]", "D": "[^0-9]", "w": _WORD, "W": f"[^{_WORD[1:]}", "s": f"[{_SPACE}]", "S": f"[^{_SPACE}]"}
_CONTROLS = {"n": r"\n", "t": r"\t", "r": r"\r", "f": r"\f", "v": r"\x0B", "a": r"\x07"}
_NAMED = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z", "space": r"\t\n\x0B\f\r ",
    "blank": r"\t ", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "word": "0-9A-Za-z_", "cntrl": r"\x00-\x1F\x7F",
    "print": " -~", "graph": "!-~", "ascii": r"\x00-\x7F",
}  # fmt: skip
_REPEAT = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")


class Untranslatable(ValueError):
    """Why a pattern cannot be carried out as it is meant."""


@record
class _Part:
    """A piece of a pattern in Java's notation, and whether it may match the empty text."""

    text: str
    empty: bool = False


def problem(pattern: str, use: Use) -> str | None:
    """Why a pattern cannot be used, or None."""
    try:
        reader = _Reader(pattern)
        empty = reader.whole().empty
    except Untranslatable as reason:
        return str(reason)
    if use == "replace" and empty:
        return "it matches the empty text, of which Java replaces others than RE2"
    if use != "match" and reader.repeats_empty:
        return "it repeats what may be empty, where Java and RE2 end in other places"
    return None


def translated(pattern: str, *, whole: bool = False) -> str:
    """The pattern in Java's notation; `whole` has to be all of the text."""
    body = _Reader(pattern).whole().text
    return rf"\A(?:{body})\z" if whole else body


def translated_replacement(replacement: str) -> str:
    made, place = [], 0
    while place < len(replacement):
        char = replacement[place]
        digit = replacement[place + 1 : place + 2]
        if char == "\\" and digit.isdigit():
            made.append(f"${digit}")
            place += 2
            continue
        if char == "\\":
            char, place = digit or "\\", place + 1
        made.append(f"\\{char}" if char in "\\$" or char.isdigit() else char)
        place += 1
    return "".join(made)


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.place = pattern, 0
        self.flags = {"i": False, "m": False, "s": False}
        self.repeats_empty = False

    def whole(self) -> _Part:
        found = self.choice()
        if self.place < len(self.pattern):
            raise Untranslatable("its brackets do not match")
        return found

    def peek(self, count: int = 1) -> str:
        return self.pattern[self.place : self.place + count]

    def take(self, count: int = 1) -> str:
        taken = self.peek(count)
        if len(taken) < count:
            raise Untranslatable("it ends too early")
        self.place += count
        return taken

    def until(self, end: str) -> str:
        stop = self.pattern.find(end, self.place)
        if stop < 0:
            raise Untranslatable(f"`{end}` is missing")
        return self.take(stop - self.place + len(end))[: -len(end)]

    def choice(self) -> _Part:
        before = dict(self.flags)
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        self.flags = before
        return _Part("|".join(b.text for b in branches), any(b.empty for b in branches))

    def sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom()))
        return _Part("".join(p.text for p in parts), all(p.empty for p in parts))

    def repeated(self, atom: _Part) -> _Part:
        while found := _REPEAT.match(self.pattern, self.place):
            self.place = found.end()
            lazy = "?" if self.peek() == "?" else ""
            self.place += len(lazy)
            least = int(found[1]) if found[1] else int(found[0] == "+")
            once = found[0] in ("?", "{1}", "{0,1}", "{0}", "{1,1}")
            self.repeats_empty = self.repeats_empty or (atom.empty and not once)
            atom = _Part(f"(?:{atom.text}){found[0]}{lazy}", atom.empty or least == 0)
        return atom

    def atom(self) -> _Part:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return _Part(self.in_case(self.bracket()))
        if char == ".":
            return _Part(r"[\x{0}-\x{10FFFF}]" if self.flags["s"] else r"[^\n]")
        if char == "^":
            return _Part(r"(?<![^\n])" if self.flags["m"] else r"\A", empty=True)
        if char == "$":
            return _Part(r"(?![^\n])" if self.flags["m"] else r"\z", empty=True)
        if char == "\\":
            return self.escape()
        return _Part(self.in_case(_char(char)))

    def in_case(self, text: str) -> str:
        return f"(?iu:{text})" if self.flags["i"] else text

    def group(self) -> _Part:
        if self.peek() != "?":
            return self.closed("(")
        self.take()
        if self.peek() == "P" or (self.peek() == "<" and self.peek(2)[1:] not in ("=", "!")):
            self.until(">")
            return self.closed("(")
        before, value = dict(self.flags), True
        while (flag := self.take()) not in ":)":
            if flag == "-":
                value = False
            elif flag in self.flags:
                self.flags[flag] = value
            else:
                raise Untranslatable(f"Java has nothing like the flag `{flag}`")
        if flag == ")":
            return _Part("", empty=True)
        inner = self.closed("(?:")
        self.flags = before
        return inner

    def closed(self, opening: str) -> _Part:
        inner = self.choice()
        if self.peek() != ")":
            raise Untranslatable("its brackets do not match")
        self.take()
        return _Part(f"{opening}{inner.text})", inner.empty)

    def escape(self) -> _Part:
        letter = self.take()
        if letter in _ANCHORS:
            return _Part(_ANCHORS[letter], empty=True)
        if letter in _SETS:
            return _Part(self.in_case(_SETS[letter]))
        if letter in "pP":
            return _Part(self.in_case(self.property_(letter)))
        if letter == "Q":
            words = self.until("\\E") if "\\E" in self.pattern[self.place :] else self.take(len(self.pattern) - self.place)
            return _Part(self.in_case("".join(map(_char, words))), empty=not words)
        return _Part(self.in_case(self.code(letter)))

    def property_(self, letter: str) -> str:
        name = self.take()
        name = self.until("}") if name == "{" else name
        if name.startswith("^"):
            name, letter = name[1:], "P" if letter == "p" else "p"
        if not re.fullmatch(r"[A-Z][a-z]?", name):
            raise Untranslatable(f"`\\p{{{name}}}` names a script, of which engines know others")
        return rf"\{letter}{{{name}}}"

    def code(self, letter: str) -> str:
        """The character that an escaped letter stands for."""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            digits = self.take()
            digits = self.until("}") if digits == "{" else digits + self.take()
            if not re.fullmatch("[0-9A-Fa-f]{1,6}", digits):
                raise Untranslatable(f"`{digits}` is no code of a character")
            return rf"\x{{{digits}}}"
        if letter.isalnum():
            raise Untranslatable(f"Java has nothing like `\\{letter}`")
        return _char(letter)

    def bracket(self) -> str:
        negated = self.peek() == "^"
        self.place += negated
        items: list[str] = []
        while not items or self.peek() != "]":
            items.append(self.item())
        self.take()
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def item(self) -> str:
        if self.peek(2) == "[:":
            self.take(2)
            name = self.until(":]")
            if name.lstrip("^") not in _NAMED:
                raise Untranslatable(f"there is no class `[:{name}:]`")
            return f"[{'^' if name.startswith('^') else ''}{_NAMED[name.lstrip('^')]}]"
        low = self.item_char()
        if low.startswith(("[", "\\p", "\\P")) or self.peek() != "-" or self.peek(2)[1:] in ("]", ""):
            return low
        self.take()
        return f"{low}-{self.item_char()}"

    def item_char(self) -> str:
        char = self.take()
        if char != "\\":
            return _char(char)
        letter = self.take()
        if letter in _SETS:
            return _SETS[letter]
        return self.property_(letter) if letter in "pP" else self.code(letter)


def _char(char: str) -> str:
    """A character that means itself wherever it stands."""
    if char.isalnum() or char in "_ " or ord(char) > 127:
        return char
    return rf"\x{{{ord(char):X}}}"
