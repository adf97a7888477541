"""Quality rules of type `sql`: one query over the object that gives one number, as a check.

A query is taken apart by its words, never run: what it selects becomes the check's expression, its `where` the check's
condition. Whatever else stands in it (joins, groups, subqueries) cannot be carried out here and is refused.
"""

from __future__ import annotations

import re
from typing import Any

from headrace.errors import Path
from headrace.infrastructure.odcs.comparisons import Comparison, read_comparison
from headrace.infrastructure.odcs.findings import quoted
from headrace.infrastructure.odcs.metrics import Rule
from headrace.records import record

_OBJECT = re.compile(r"\$?\{(?:object|table|model|schema)\}", re.I)
_PROPERTY = re.compile(r"\$?\{(?:property|column|field)\}", re.I)
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|[A-Za-z_][\w$]*|\S""", re.S)
_REFUSED = {
    "join",
    "group",
    "having",
    "order",
    "limit",
    "union",
    "intersect",
    "except",
    "window",
    "qualify",
    "with",
    "offset",
    "fetch",
}


@record
class _Word:
    """A word of a query, where it stands, and in how many brackets."""

    text: str
    start: int
    end: int
    depth: int

    def says(self, word: str) -> bool:
        return self.text.lower() == word

    @property
    def outside(self) -> bool:
        return self.depth == 0


class _CannotBeTakenApart(ValueError):
    pass


def read_query(rule: Rule) -> None:
    """Carry out a query, or say why it cannot be."""
    path: Path = (*rule.path, "query")
    written = rule.entry.get("query")
    comparison = read_comparison(rule.entry, rule.path, rule.findings, numeric=False)
    if not isinstance(written, str) or not written.strip():
        rule.findings.refuse("a rule of type `sql` needs a `query`", path)
        return
    if _PROPERTY.search(written) and rule.column is None:
        rule.findings.refuse("a query of a schema stands beside no property", path)
        return
    if comparison is None:
        return
    text = _OBJECT.sub(lambda _: quoted(rule.findings.dataset), written)
    text = _PROPERTY.sub(lambda _: quoted(rule.column.name if rule.column else ""), text)
    try:
        selected, where = _taken_apart(text, rule.findings.dataset)
    except _CannotBeTakenApart as error:
        hint = "allowed is `select <aggregates> from {object} where <condition>`"
        rule.findings.refuse(f"this query cannot be carried out: {error}", path, hint)
        return
    _carry_out(rule, selected, where, comparison)


def _carry_out(rule: Rule, selected: str, where: str | None, comparison: Comparison) -> None:
    counted = re.fullmatch(r"count\s*\(\s*\*\s*\)", selected, re.I)
    if counted and where and comparison.allows_none(percent=False):
        rule.condition(f"not ({where})", "sql")
        return
    limits = comparison.counts() if counted and not isinstance(comparison.values[0], str | bool) else None
    if counted and limits is not None and ("max" not in limits or limits["max"] >= max(limits.get("min", 0), 0)):
        rule.check("row_count", ({"where": where} if where else {}) | limits)
        return
    options: dict[str, Any] = {"condition": comparison.condition(f"({selected})")}
    rule.check("expression", options | ({"where": where} if where else {}))


def _taken_apart(text: str, dataset: str) -> tuple[str, str | None]:
    """What is selected, and under which condition."""
    words = _words(text)
    if words and words[-1].says(";"):
        words.pop()
    if not words or not words[0].says("select"):
        raise _CannotBeTakenApart("it must begin with `select`")
    for word in words[1:]:
        if word.text.lower() in ("select", ";") or (word.outside and word.text.lower() in _REFUSED):
            raise _CannotBeTakenApart(f"`{word.text}` is not allowed in it")
    place = next((i for i, word in enumerate(words) if word.says("from") and word.outside), None)
    if place is None or place + 1 >= len(words):
        raise _CannotBeTakenApart("it must have a `from`")
    after = _after_table(words, place + 1, dataset)
    selected = _slice(text, words[1:place])
    if not selected:
        raise _CannotBeTakenApart("it selects nothing")
    if after == len(words):
        return _unnamed(selected, words[1:place]), None
    if not words[after].says("where") or after + 1 == len(words):
        raise _CannotBeTakenApart(f"`{words[after].text}` is not allowed after the table")
    return _unnamed(selected, words[1:place]), _slice(text, words[after + 1 :])


def _words(text: str) -> list[_Word]:
    """The words of a text outside comments, each with how deep in brackets it stands."""
    found, depth = [], 0
    for match in _WORD.finditer(text):
        word = match[0]
        if word.startswith(("--", "/*")):
            raise _CannotBeTakenApart("comments are not allowed in it")
        depth -= word == ")"
        found.append(_Word(word, match.start(), match.end(), depth))
        depth += word == "("
    return found


def _after_table(words: list[_Word], place: int, dataset: str) -> int:
    """Where the query goes on after its table, which must be the dataset itself."""
    name = words[place].text
    named = name[1:-1].replace('""', '"') if name.startswith('"') else name
    if named != dataset and named.lower() != dataset.lower():
        raise _CannotBeTakenApart(f"it reads `{named}`, and only the object itself can be read")
    return place + 1


def _unnamed(selected: str, words: list[_Word]) -> str:
    """What is selected without the name that it is given."""
    if len(words) > 2 and words[-2].says("as") and words[-2].outside:
        return selected[: words[-2].start - words[0].start].strip()
    if any(word.says(",") and word.outside for word in words):
        raise _CannotBeTakenApart("it must select one value")
    return selected


def _slice(text: str, words: list[_Word]) -> str:
    return text[words[0].start : words[-1].end].strip() if words else ""
