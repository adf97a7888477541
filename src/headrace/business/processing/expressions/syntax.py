"""Text to syntax tree, and what is wrong with a text that is none. Not what may be written (see `dialect`) or means (see `bind`)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from headrace.business.processing.expressions.faults import ExpressionError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect

#: Longer texts are not rules or queries that people write.
LONGEST = 100_000


def read_syntax(text: str) -> exp.Expression:
    """The tree of the one expression or query in the text. Comments are skipped."""
    from sqlglot.errors import ParseError, TokenError

    if len(text) > LONGEST:
        raise ExpressionError(f"this is {len(text):,} characters long; at most {LONGEST:,} are read", LONGEST)
    try:
        trees = cast("list[exp.Expression]", [tree for tree in dialect().parse(text) if tree is not None])
    except ParseError as error:
        raise _refusal(text, error.errors[0] if error.errors else {}) from None
    except TokenError:
        raise ExpressionError("a quote or comment is opened and never closed", _unclosed(text)) from None
    except RecursionError:
        raise ExpressionError("this is nested too deeply", hint="split it into several columns or rules") from None
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
    ):  # SQLGlot stumbles over some texts that it should refuse
        raise ExpressionError(
            "this is not an expression", hint="see the reference of functions for what can be written"
        ) from None
    if not trees:
        raise ExpressionError("there is nothing here", hint="write a condition such as `distance > 0`")
    if len(trees) > 1:
        raise ExpressionError("only one statement is allowed", start_of(trees[1]), hint="remove what follows the `;`")
    return trees[0]


@lru_cache(maxsize=1)
def dialect() -> Dialect:
    """What may be written, ready to read."""
    from headrace.business.processing.expressions.dialect import Headrace

    return Headrace()


def start_of(node: exp.Expression) -> int:
    """Where the text of a node begins: SQLGlot keeps positions of words and values only, so the first of them below."""
    starts: list[int] = [n.meta["start"] for n in node.walk() if "start" in n.meta]
    if starts:
        return min(starts)
    return start_of(cast("exp.Expression", node.parent)) if node.parent is not None else 0


def _refusal(text: str, found: dict[str, Any]) -> ExpressionError:
    before, at = found.get("start_context", ""), found.get("highlight", "")
    offset = _offset(text, found.get("line", 1), found.get("col", 1), at)
    if not text[offset + len(at) :].strip() and "missing" in found.get("description", ""):
        return ExpressionError(f"something is missing after `{at or before.strip()}`", offset)
    if "Expecting )" in found.get("description", ""):
        return ExpressionError(f"`{at}` was not expected here: a `)` is missing before it", offset)
    return ExpressionError(f"`{at}` was not expected here" if at else "this is not an expression", offset)


def _offset(text: str, line: int, column: int, word: str) -> int:
    """SQLGlot counts lines from 1 and gives the column of a word's last character."""
    start = sum(len(part) + 1 for part in text.split("\n")[: line - 1])
    return max(0, min(start + column - max(len(word), 1), len(text)))


def _unclosed(text: str) -> int:
    return max(text.rfind("'"), text.rfind('"'), text.rfind("/*"), 0)
