"""Lays out the clauses of a SELECT as lines for readers. It knows text only, not what the clauses mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from headrace.records import record

#: What is quoted, to the end where no quote follows, and ends of lines outside of that.
_QUOTED_OR_LINE = re.compile(r"""'[^']*(?:'|\Z)|"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z)|\n""")

#: Lists that would be longer than this are broken into lines.
WIDTH = 100


@record
class Clauses:
    """A SELECT, each clause already printed."""

    source: str
    columns: Sequence[str] = ("*",)
    distinct: bool = False
    where: Sequence[str] = ()
    group: Sequence[str] = ()
    having: Sequence[str] = ()
    qualify: str | None = None
    order: Sequence[str] = ()
    limit: str | None = None

    def text(self) -> str:
        lines = [
            listed("SELECT DISTINCT" if self.distinct else "SELECT", self.columns),
            f"FROM {self.source}",
            _conditions("WHERE", self.where),
            listed("GROUP BY", self.group),
            _conditions("HAVING", self.having),
            f"QUALIFY {self.qualify}" if self.qualify else "",
            listed("ORDER BY", self.order),
            self.limit or "",
        ]
        return "\n".join(line for line in lines if line)


def nested(query: str) -> str:
    """A query in parentheses, indented if it has several lines."""
    return f"(\n{indented(query)}\n)" if "\n" in query or len(query) > WIDTH else f"({query})"


def indented(text: str) -> str:
    """Two spaces before every line, except inside quotes: those lines belong to a name or a value."""
    return "  " + _QUOTED_OR_LINE.sub(lambda found: "\n  " if found[0] == "\n" else found[0], text)


def bare(text: str) -> str:
    """The text without brackets around all of it, where the place makes clear what belongs together."""
    if not text.startswith("(") or text.startswith(("(SELECT", "(WITH", "(\n")):
        return text
    depth, quote = 0, ""
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        else:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return text[1:-1] if i == len(text) - 1 else text
    return text


def listed(word: str, items: Sequence[str]) -> str:
    """A clause that is a list: on one line if it fits."""
    if not items:
        return ""
    line = f"{word} {', '.join(items)}"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return f"{word}\n" + ",\n".join(indented(row) for row in _rows(items))


def _rows(items: Iterable[str]) -> list[str]:
    """Names share lines; whatever is computed stands alone."""
    rows: list[str] = []
    room = False
    for item in items:
        plain = item.startswith(('"', "`")) and "\n" not in item
        if plain and room and len(rows[-1]) + len(item) + 2 <= WIDTH:
            rows[-1] += f", {item}"
        else:
            rows.append(item)
        room = plain
    return rows


def _conditions(word: str, conditions: Sequence[str]) -> str:
    return f"{word} " + "\n  AND ".join(conditions) if conditions else ""
