"""RE2's regular expressions as PostgreSQL's, as far as both mean the same. The rest is refused, and says why.

PostgreSQL takes the longest match where RE2 takes the first alternative, so what a match covers is the same only where the next
character decides how to go on. Whether there is a match at all does not depend on that.
"""

from __future__ import annotations

from typing import Literal

from headrace.infrastructure.engines.postgres.pattern_choices import decided, groups_in
from headrace.infrastructure.engines.postgres.pattern_laziness import without_laziness
from headrace.infrastructure.engines.postgres.pattern_tree import LAST, Node, Ranges, Untranslatable, others, parse

Use = Literal["match", "extract", "replace"]


def problem(pattern: str, use: Use, replacement: str | None = None, part: int = 0) -> str | None:
    """Why a pattern cannot be used, or None."""
    try:
        tree = parse(pattern)
        if use != "match":
            decided(without_laziness(tree), use, part)
        if replacement is not None:
            _replaced(replacement, groups_in(tree))
    except Untranslatable as reason:
        return str(reason)
    return None


def translated(pattern: str, *, whole: bool = False, outer_group: bool = False, groups: bool = False) -> str:
    """The pattern in PostgreSQL's notation; `whole` has to be all of the text, `groups` keeps brackets that are asked for."""
    tree, asked = parse(pattern), groups or outer_group
    body = _written(without_laziness(tree) if asked else tree, groups=asked)
    if outer_group:
        return f"({body})"
    return f"^(?:{body})$" if whole else body


def translated_replacement(replacement: str) -> str:
    return _replaced(replacement, 9)


def _written(node: Node, *, groups: bool) -> str:
    match node.kind:
        case "chars":
            return _set(node.ranges)
        case "anchor":
            return node.text
        case "choice":
            return "(?:" + "|".join(_written(part, groups=groups) for part in node.parts) + ")"
        case "repeat":
            inner = _written(node.parts[0], groups=groups)
            atom = inner if node.parts[0].kind in ("chars", "group") else f"(?:{inner})"
            return atom + _count(node)
        case "group":
            inner = "".join(_written(part, groups=groups) for part in node.parts)
            return f"({'' if groups else '?:'}{inner})"
        case _:
            return "".join(_written(part, groups=groups) for part in node.parts)


def _count(node: Node) -> str:
    simple = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((node.least, node.most))
    if simple:
        return simple
    return f"{{{node.least}}}" if node.least == node.most else f"{{{node.least},{'' if node.most is None else node.most}}}"


def _set(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _char(ranges[0][0])
    if ranges == ((1, LAST),):
        return "."
    negated = len(ranges) > 1 and ranges[0][0] == 1 and ranges[-1][1] == LAST
    shown = others(ranges) if negated else ranges
    items = "".join(_char(low) if low == high else f"{_char(low)}-{_char(high)}" for low, high in shown)
    return f"[{'^' if negated else ''}{items}]"


def _char(code: int) -> str:
    """A character that means itself wherever it stands."""
    char = chr(code)
    if char.isascii() and (char.isalnum() or char in " _"):
        return char
    if 32 < code < 127:
        return f"\\{char}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _replaced(replacement: str, groups: int) -> str:
    made, place = [], 0
    while place < len(replacement):
        char = replacement[place]
        if char != "\\":
            made.append(char)
            place += 1
            continue
        letter = replacement[place + 1 : place + 2]
        if letter == "\\":
            made.append("\\\\")
        elif letter.isdigit() and int(letter) <= groups:
            made.append("\\&" if letter == "0" else f"\\{letter}")
        else:
            raise Untranslatable(f"`\\{letter}` in the replacement stands for nothing")
        place += 2
    return "".join(made)
