"""Regular expressions of RE2 for Snowflake, which matches whole texts, knows brackets as groups alone and has no look-around. Read piece
by piece and written anew; what is not of the plain kind is refused. Only whether a text matches is the same on both sides, and only that
is asked.
"""

from __future__ import annotations

import re

_SETS = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_COUNT = re.compile(r"[*+?]|\{\d{1,3}(,\d{0,3})?\}")


class Untranslatable(ValueError):
    """Why a pattern cannot be carried out as it is meant."""


def problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, or None."""
    try:
        full_match(pattern, whole=False)
    except Untranslatable as error:
        return str(error)
    return None


def replacing_problem(pattern: str, replacement: str) -> str | None:
    """Why matches of a pattern cannot be replaced, or None."""
    try:
        run_of_characters(pattern)
    except Untranslatable as error:
        return str(error)
    return "parts of a match are put in again" if "\\" in replacement else None


def full_match(pattern: str, *, whole: bool) -> str:
    """A pattern that matches a text as a whole where the given one matches it, as a whole or, unless `whole`, anywhere. It is meant for
    a point that stands for every character. Raises `Untranslatable`."""
    begins, ends = pattern.startswith("^"), bool(re.search(r"(?<!\\)(\\\\)*\$$", pattern))
    reader = _Reader(pattern[begins : len(pattern) - ends])
    body, alternatives = reader.choice()
    if reader.rest():
        raise Untranslatable("its brackets do not match")
    if alternatives and (begins or ends):
        raise Untranslatable("`^` and `$` beside `|` hold for one side alone; put the alternatives in brackets")
    before, after = ("" if whole or begins else ".*"), ("" if whole or ends else ".*")
    return f"{before}({body}){after}" if body else (before or after)


def run_of_characters(pattern: str) -> str:
    """A pattern for one set of characters, or a run of them: what it covers is the same wherever the engine looks for it. Raises
    `Untranslatable`."""
    reader = _Reader(pattern)
    atom = reader.atom() if pattern[:1] not in ("", "(") else ""
    if not atom or reader.rest() not in ("", "+"):
        raise Untranslatable("only one set of characters, such as `[0-9]+`, is replaced there as it is here")
    return atom + reader.rest()


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.place = pattern, 0

    def rest(self) -> str:
        return self.pattern[self.place :]

    def take(self) -> str:
        if self.place >= len(self.pattern):
            raise Untranslatable("it ends too early")
        self.place += 1
        return self.pattern[self.place - 1]

    def choice(self) -> tuple[str, bool]:
        """Alternatives, and whether there are several."""
        branches = [self.sequence()]
        while self.rest().startswith("|"):
            self.take()
            branches.append(self.sequence())
        if len(branches) > 1 and not all(branches):
            raise Untranslatable("one of its alternatives is empty; write `?` behind brackets instead")
        return "|".join(branches), len(branches) > 1

    def sequence(self) -> str:
        parts = []
        while self.rest() and self.rest()[0] not in "|)":
            parts.append(self.atom() + self.count())
        return "".join(parts)

    def atom(self) -> str:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return self.bracket()
        if char == ".":
            return "[^\n]"
        if char == "\\":
            letter = self.take()
            return (
                f"[{'^' if letter.isupper() else ''}{_SETS[letter.lower()]}]"
                if letter.lower() in _SETS
                else self.escaped(letter)
            )
        if char in "^$":
            raise Untranslatable(f"`{char}` stands inside of it; only at its beginning and its end it means the same")
        if char in "*+?{":
            raise Untranslatable("there is nothing to repeat")
        return _literal(char)

    def group(self) -> str:
        if self.rest().startswith("?:"):
            self.place += 2
        elif self.rest().startswith("?"):
            raise Untranslatable("`(?` begins what Snowflake does not have")
        body, _ = self.choice()
        if not self.rest().startswith(")"):
            raise Untranslatable("its brackets do not match")
        self.take()
        return f"({body})" if body else ""

    def count(self) -> str:
        found = _COUNT.match(self.rest())
        if not found:
            return ""
        self.place += found.end()
        if self.rest()[:1] in ("?", "+") or _COUNT.match(self.rest()):
            raise Untranslatable("a repetition is followed by another sign of repetition")
        return found[0]

    def escaped(self, letter: str) -> str:
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isalnum():
            raise Untranslatable(f"Snowflake has nothing that is the same as `\\{letter}`")
        return _literal(letter)

    def bracket(self) -> str:
        items = ["^"] if self.rest().startswith("^") else []
        self.place += len(items)
        first = True
        while first or not self.rest().startswith("]"):
            first = False
            if self.rest().startswith("[:"):
                raise Untranslatable("it names a class of characters; write the characters out")
            char = self.take()
            if char == "\\":
                letter = self.take()
                items.append(_SETS[letter] if letter in _SETS else self.escaped(letter))
            else:
                items.append("-" if char == "-" else _literal(char))
        self.take()
        return f"[{''.join(items)}]"


def _literal(char: str) -> str:
    return f"\\{char}" if char.isascii() and not char.isalnum() and char.isprintable() and char not in " _" else char
