"""Proof that nothing of a query is dropped: every part of every clause is either handled or refused by name, at its place.

Not what clauses mean. SQLGlot reads far more SQL than we give a meaning to, so whoever handles a node says which of its parts
he handles, and any other part that is there is an error.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.syntax import start_of

if TYPE_CHECKING:
    from sqlglot import exp

_QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)

#: How the parts that people may write are called, the pattern of the word to look for in the text, and what to do instead.
_PARTS: dict[str, tuple[str, str, str | None]] = {
    "alias": ("a name for a whole join", "", "name the tables in it"),
    "cluster": ("`CLUSTER BY`", "cluster", None),
    "connect": ("`CONNECT BY`", "connect", None),
    "distribute": ("`DISTRIBUTE BY`", "distribute", None),
    "exclude": ("`EXCLUDE` after the columns", "exclude", "write `* EXCLUDE (...)`"),
    "for_": ("`FOR`", "for", None),
    "format": ("`FORMAT`", "format", None),
    "ilike": ("a pattern after `*`", "like", "name the columns"),
    "into": ("`INTO`", "into", "the result of the step is its dataset"),
    "laterals": ("`LATERAL VIEW`", "lateral", "use the step `unnest`"),
    "limit_options": ("`PERCENT` or `WITH TIES`", "limit", "use a number of rows, or the step `sample`"),
    "locks": ("`FOR UPDATE`", "for", "datasets never change while they are read: leave it away"),
    "match": ("`MATCH_RECOGNIZE`", "match_recognize", None),
    "match_condition": ("`MATCH_CONDITION`", "match_condition", None),
    "materialized": ("`MATERIALIZED`", "materialized", "leave it away: the engine decides"),
    "on": ("`ON` here", "on", None),
    "only": ("`ONLY`", "only", None),
    "ordinality": ("`WITH ORDINALITY`", "ordinality", None),
    "partition": ("`PARTITION`", "partition", None),
    "pivots": ("`PIVOT` or `UNPIVOT`", "pivot", "use the steps `pivot` and `unpivot`"),
    "prewhere": ("`PREWHERE`", "prewhere", "use `WHERE`"),
    "recursive": ("`RECURSIVE`", "recursive", None),
    "sample": ("a sample", "(table)?sample", "use the step `sample`, which is repeatable"),
    "settings": ("`SETTINGS`", "settings", None),
    "sort": ("`SORT BY`", "sort", "use `ORDER BY`"),
    "spec": ("a window frame", "", None),
    "system_time": ("`FOR SYSTEM_TIME`", "for", None),
    "using": ("`USING` here", "using", None),
    "version": ("a version of a dataset", "for", None),
    "when": ("a time of a dataset", "at", None),
    "with_": ("`WITH` here", "with", "write `WITH` at the start of the query"),
    "with_fill": ("`WITH FILL`", "with", None),
}


def understood(text: str, node: exp.Expression, *parts: str) -> None:
    """Refuse the node if it has any part beside these."""
    for part, value in node.args.items():
        if part not in parts and not _absent(value):
            refuse_part(text, node, part, value)


def refuse_part(text: str, node: exp.Expression, part: str, value: Any) -> NoReturn:
    words, keyword, hint = _PARTS.get(part, (f"`{part.strip('_').replace('_', ' ').upper()}`", part.strip("_"), None))
    raise ExpressionError(f"{words} is not understood", _place(text, node, keyword, value), hint)


def refuse(text: str, node: exp.Expression, what: str, keyword: str = "", hint: str | None = None) -> NoReturn:
    """Refuse a whole node: at its keyword if it has one, else where its text begins."""
    raise ExpressionError(what, _place(text, node, keyword, node), hint)


def keyword_before(text: str, keyword: str, end: int) -> int | None:
    """Where the last of these words before a place in the text begins."""
    return max((found.start() for found in _words(keyword).finditer(bare(text)) if found.start() < end), default=None)


def directly_in(node: exp.Expression, query: exp.Expression) -> bool:
    """Whether a node belongs to this query, and not to one inside of it."""
    from sqlglot import exp

    above = node.parent
    while above is not None and not isinstance(above, exp.Query):
        above = above.parent
    return above is not None and id(above) == id(query)


@lru_cache(maxsize=8)
def bare(text: str) -> str:
    """The text with blanks for comments and quoted words, in which nothing is a keyword."""
    return _QUOTED.sub(lambda found: " " * len(found[0]), text)


def _place(text: str, node: exp.Expression, keyword: str, value: Any) -> int:
    """SQLGlot knows the places of names and values only. A keyword stands before its value, or after its clause began."""
    first = _first(value)
    if not keyword:
        return start_of(node) if first is None else first
    if first is not None and (before := keyword_before(text, keyword, first + 1)) is not None:
        return before
    start = start_of(node)
    after = _words(keyword).search(bare(text), start)
    if after is not None:
        return after.start()
    before = keyword_before(text, keyword, start + 1)
    return start if before is None else before


def _first(value: Any) -> int | None:
    nodes = value if isinstance(value, list) else [value]
    starts = [n.meta["start"] for v in nodes if hasattr(v, "walk") for n in v.walk() if "start" in n.meta]
    return min(starts, default=None)


def _words(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"\b{keyword}\b", re.IGNORECASE)


def _absent(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, list | str) and not value)
