"""RE2's regular expressions as trees: what they are made of, sets of characters written out. Not what PostgreSQL makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: PostgreSQL refuses to count further.
MOST_REPEATS = 255
LAST = 0x10FFFF

_CLASSES = {"d": ((48, 57),), "w": ((48, 57), (65, 90), (95, 95), (97, 122)), "s": ((9, 10), (12, 13), (32, 32))}
_NAMED = {
    "alpha": ((65, 90), (97, 122)), "digit": ((48, 57),), "alnum": ((48, 57), (65, 90), (97, 122)), "upper": ((65, 90),),
    "lower": ((97, 122),), "space": ((9, 13), (32, 32)), "blank": ((9, 9), (32, 32)), "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "xdigit": ((48, 57), (65, 70), (97, 102)), "word": _CLASSES["w"], "cntrl": ((0, 31), (127, 127)), "print": ((32, 126),),
    "graph": ((33, 126),), "ascii": ((0, 127),),
}  # fmt: skip
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7}
#: With the flag `m`: at the ends of lines as well.
_OF_LINES = {"^": r"(?:^|(?<=\n))", "$": r"(?:$|(?=\n))"}
_ANCHORS = {"A": r"\A", "z": r"\Z", "b": r"\y", "B": r"\Y"}

Ranges = tuple[tuple[int, int], ...]


class Untranslatable(ValueError):
    """Why a pattern cannot be carried out as it is meant."""


@dataclass
class Node:
    """A part of a pattern: characters, an anchor, parts in sequence, alternatives, a group or a repetition."""

    kind: Literal["chars", "anchor", "sequence", "choice", "group", "repeat"]
    parts: list[Node] = field(default_factory=list)
    ranges: Ranges = ()
    text: str = ""
    least: int = 1
    most: int | None = 1
    lazy: bool = False


def parse(pattern: str) -> Node:
    """Raises `Untranslatable`."""
    reader = _Reader(pattern)
    tree = reader.choice()
    if reader.place < len(pattern):
        raise Untranslatable("its brackets do not match")
    return tree


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.place = pattern, 0
        self.any_case = self.dot_all = self.lines = False

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

    def choice(self) -> Node:
        flags = self.any_case, self.dot_all, self.lines
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        self.any_case, self.dot_all, self.lines = flags
        return branches[0] if len(branches) == 1 else Node("choice", branches)

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            atom = self.atom()
            if atom is not None:
                parts.append(self.repeated(atom))
        return Node("sequence", parts)

    def atom(self) -> Node | None:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return self.bracket()
        if char == ".":
            return Node("chars", ranges=((1, LAST),) if self.dot_all else ((1, 9), (11, LAST)))
        if char in "^$":
            return Node("anchor", text=_OF_LINES[char] if self.lines else char)
        if char == "\\":
            return self.escape()
        if char in "*+?":
            raise Untranslatable("there is nothing to repeat")
        return self.one(ord(char))

    def group(self) -> Node | None:
        if self.peek() != "?":
            return self.closed(Node("group"))
        self.take()
        if self.peek() == "P" or (self.peek() == "<" and self.peek(2)[1:] not in ("=", "!")):
            self.until(">")
            return self.closed(Node("group"))
        return self.flags()

    def flags(self) -> Node | None:
        """`(?i)` from here on, `(?i:...)` inside."""
        before, value = (self.any_case, self.dot_all, self.lines), True
        while (flag := self.take()) not in ":)":
            if flag == "-":
                value = False
            elif flag == "i":
                self.any_case = value
            elif flag == "s":
                self.dot_all = value
            elif flag == "m":
                self.lines = value
            else:
                raise Untranslatable(f"PostgreSQL has nothing like the flag `{flag}`")
        if flag == ")":
            return None
        inner = self.closed(Node("sequence"))
        self.any_case, self.dot_all, self.lines = before
        return inner

    def closed(self, node: Node) -> Node:
        node.parts = [self.choice()]
        if self.peek() != ")":
            raise Untranslatable("its brackets do not match")
        self.take()
        return node

    def escape(self) -> Node:
        letter = self.take()
        if letter in _ANCHORS:
            return Node("anchor", text=_ANCHORS[letter])
        if letter in _CLASSES:
            return Node("chars", ranges=self.folded(_CLASSES[letter]))
        if letter.lower() in _CLASSES and letter.isupper():
            return Node("chars", ranges=others(self.folded(_CLASSES[letter.lower()])))
        return self.one(self.code(letter))

    def code(self, letter: str) -> int:
        """The code point that an escaped letter stands for."""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            digits = self.take()
            digits = self.until("}") if digits == "{" else digits + self.take()
            try:
                return int(digits, 16)
            except ValueError:
                raise Untranslatable(f"`{digits}` is no code of a character") from None
        if letter.isalnum():
            raise Untranslatable(f"PostgreSQL has nothing like `\\{letter}`")
        return ord(letter)

    def one(self, code: int) -> Node:
        if code == 0:
            raise Untranslatable("no text in PostgreSQL has the character 0")
        return Node("chars", ranges=self.folded(((code, code),)))

    def bracket(self) -> Node:
        negated = self.peek() == "^"
        if negated:
            self.take()
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            first = False
            ranges += self.item()
        self.take()
        folded = self.folded(tidy(ranges))
        return Node("chars", ranges=others(folded) if negated else folded)

    def item(self) -> Ranges:
        if self.peek(2) == "[:":
            self.take(2)
            name = self.until(":]")
            if name.lstrip("^") not in _NAMED:
                raise Untranslatable(f"there is no class `[:{name}:]`")
            return others(_NAMED[name[1:]]) if name.startswith("^") else _NAMED[name]
        char = self.take()
        if char == "\\":
            letter = self.take()
            if letter.lower() in _CLASSES:
                found = _CLASSES[letter.lower()]
                return found if letter.islower() else others(found)
            low = self.code(letter)
        else:
            low = ord(char)
        if self.peek() != "-" or self.peek(2)[1:] in ("]", ""):
            return ((low, low),)
        self.take()
        char = self.take()
        high = self.code(self.take()) if char == "\\" else ord(char)
        return ((low, high),)

    def folded(self, ranges: Ranges) -> Ranges:
        """With the other case of each letter, where case does not matter: that of ASCII is known."""
        if not self.any_case:
            return ranges
        found = list(ranges)
        for low, high in ranges:
            if high > 127 and not (low <= 128 and high == LAST):
                raise Untranslatable("`(?i)` beside letters outside of ASCII is not the same in PostgreSQL")
            for code in range(max(low, 65), min(high, 122) + 1):
                other = chr(code).swapcase()
                found += [(ord(other), ord(other))]
                found += [(c, c) for c in {"k": [0x212A], "s": [0x17F]}.get(chr(code).lower(), [])]
        return tidy(found)

    def repeated(self, atom: Node) -> Node:
        while (bounds := self.bounds()) is not None:
            if atom.kind == "anchor":
                raise Untranslatable("an anchor cannot be repeated")
            least, most = bounds
            lazy = self.peek() == "?"
            if lazy:
                self.take()
            if max(least, most or 0) > MOST_REPEATS:
                raise Untranslatable(f"PostgreSQL counts at most {MOST_REPEATS} repeats")
            atom = Node("repeat", [atom], least=least, most=most, lazy=lazy)
        return atom

    def bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if (char := self.peek()) in simple and char:
            self.take()
            return simple[char]
        if char != "{":
            return None
        stop = self.pattern.find("}", self.place)
        low, comma, high = self.pattern[self.place + 1 : stop].partition(",") if stop > 0 else ("", "", "")
        if not low.isdigit() or (high and not high.isdigit()):
            return None
        self.place = stop + 1
        return int(low), (int(high) if high else None) if comma else int(low)


def tidy(ranges: list[tuple[int, int]] | Ranges) -> Ranges:
    """In order, without overlaps."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def others(ranges: Ranges) -> Ranges:
    found, start = [], 1
    for low, high in tidy(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


def overlap(a: Ranges, b: Ranges) -> bool:
    return any(low <= other_high and other_low <= high for low, high in a for other_low, other_high in b)
