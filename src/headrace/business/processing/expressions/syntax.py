"""Text to syntax tree: the one place where SQLGlot is told what may be written. Not what the words mean (see `bind`).

SQLGlot knows hundreds of functions and rewrites many of them while it reads. Ours are those of the catalogue and nothing else,
so its tables of functions are emptied here: a call comes out as it was written, name and arguments in order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

from headrace.business.processing.expressions.faults import ExpressionError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect

#: Types that have other names, or none, here: DuckDB's `int8` has 8 bytes, ours has 8 bits. Their words are read as plain names.
_THEIR_TYPES = frozenset((
    "INT", "BIGINT", "SMALLINT", "TINYINT", "INT128", "UINT", "UBIGINT", "USMALLINT", "UTINYINT", "UINT128", "FLOAT", "DOUBLE", "BOOLEAN",
    "TEXT", "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "BPCHAR", "VARBINARY",
))  # fmt: skip

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
    """DuckDB's syntax without anyone's functions."""
    from sqlglot import exp
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.tokenizer_core import TokenType

    read = DuckDB.Parser

    class Headrace(DuckDB):
        INDEX_OFFSET = 0  # list positions stay as they were written

        class Tokenizer(DuckDB.Tokenizer):
            KEYWORDS: ClassVar[dict[str, Any]] = {
                word: kind for word, kind in DuckDB.Tokenizer.KEYWORDS.items() if kind.name not in _THEIR_TYPES
            }

        class Parser(read):  # type: ignore[misc, valid-type]
            def _warn_unsupported(self) -> None:  # statements of other databases: an error here, not a line on the screen
                self.raise_error("Unsupported")

            FUNCTIONS: ClassVar[dict[str, Any]] = {}
            FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
                name: read.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT", "SUBSTRING")
            }
            NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
            NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CASE": read.NO_PAREN_FUNCTION_PARSERS["CASE"]}
            COLUMN_OPERATORS: ClassVar[dict[Any, Any]] = {
                **read.COLUMN_OPERATORS,
                TokenType.ARROW: lambda _, this, path: exp.JSONExtract(this=this, expression=path),
                TokenType.DARROW: lambda _, this, path: exp.JSONExtractScalar(this=this, expression=path),
            }

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
