"""The door of the `sql` step: is the text one SELECT, and nothing that could touch the world? Then it is bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from headrace.business.model.schema import suggest
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.syntax import dialect, read_syntax
from headrace.business.processing.relation import Relation
from headrace.business.processing.select.query import bind_query, setting_of
from headrace.business.processing.select.trimming import trimmed

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

_STARTS = ("select", "with", "from", "values")
_BEFORE = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"\w+")
_STATEMENTS = frozenset((
    "alter", "analyze", "attach", "begin", "call", "checkpoint", "comment", "commit", "copy", "create", "deallocate", "delete",
    "describe", "detach", "drop", "execute", "explain", "export", "import", "insert", "install", "load", "merge", "pivot",
    "pragma", "prepare", "replace", "reset", "rollback", "set", "show", "summarize", "table", "truncate", "unpivot", "update",
    "use", "vacuum",
))  # fmt: skip


def bind_select(text: str, inputs: Mapping[str, Relation]) -> Relation:
    """What the SELECT in `text` makes of the datasets in `inputs`. Raises `ExpressionError` with the place of what is wrong."""
    _check_start(text)
    tree = read_syntax(_only_statement(text))
    try:
        return trimmed(bind_query(tree, setting_of(text, inputs), named=True).relation)
    except RecursionError:
        raise ExpressionError("this is nested too deeply", hint="split it into several steps") from None


def _only_statement(text: str) -> str:
    """The text up to a `;` that ends it. What follows may be a comment, and no other statement."""
    from sqlglot.errors import TokenError

    if ";" not in text:
        return text
    try:
        tokens = dialect().tokenize(text)
    except TokenError:
        return text  # the parser says what is wrong with it
    ends = [token.start for token in tokens if _is_end(token, text)]
    for token in tokens:
        if ends and token.start > ends[0] and not _is_end(token, text):
            raise ExpressionError(
                "a `sql` step is one SELECT, and here begins another statement", token.start, "one step for each"
            )
    return text[: ends[0]] if ends else text


def _is_end(token: Token, text: str) -> bool:
    return text[token.start : token.end + 1] == ";"


def _check_start(text: str) -> None:
    """The first word decides before anything is parsed: a statement that is no SELECT is not worth reading."""
    if "\0" in text:
        raise ExpressionError("the character NUL cannot stand here", text.index("\0"))
    before = _BEFORE.match(text)
    start = before.end() if before else 0
    found = _WORD.match(text, start)
    word = found[0].lower() if found else ""
    if word in _STARTS:
        return
    if word in _STATEMENTS:
        raise ExpressionError(
            f"`{word.upper()}` is not allowed: a `sql` step is one SELECT", start, "read with SELECT; sinks write"
        )
    if not text[start:].strip():
        raise ExpressionError("there is nothing here", start, "write a query such as `select * from flights`")
    near = suggest(word, _STARTS)
    hint = f"did you mean `{near}`?" if near else "write a query such as `select * from flights`"
    raise ExpressionError("a `sql` step is one SELECT", start, hint)
