"""The functions on text in Snowflake's SQL. Regular expressions come in through `patterns`; what takes a literal alone is told by
`problems`."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.snowflake.calling import counted, written
from headrace.infrastructure.engines.snowflake.literals import text
from headrace.infrastructure.engines.snowflake.patterns import full_match, run_of_characters
from headrace.infrastructure.engines.sql.dialect import Lowering

#: Unicode's spaces, which `trim` takes.
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def _trim(name: str) -> Lowering:
    return lambda _, args: f"{name}({args[0]}, {args[1] if len(args) > 1 else text(_SPACES)})"


def _like(_: Call, args: Sequence[str]) -> str:
    """No character escapes another unless one is named."""
    return f"({args[0]} LIKE {args[1]}{f' ESCAPE {args[2]}' if len(args) > 2 else ''})"


def _ilike(e: Call, args: Sequence[str]) -> str:
    return _like(e, (f"LOWER({args[0]})", f"LOWER({args[1]})", *args[2:]))


def _matches(*, whole: bool) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        pattern = written(e.args[1])
        if pattern is None:
            return "CAST(NULL AS BOOLEAN)"
        return f"REGEXP_LIKE({args[0]}, {text(full_match(str(pattern), whole=whole))}, 's')"

    return lower


def _replace_match(e: Call, args: Sequence[str]) -> str:
    pattern = written(e.args[1])
    if pattern is None or written(e.args[2]) is None:
        return "CAST(NULL AS VARCHAR)"
    return f"REGEXP_REPLACE({args[0]}, {text(run_of_characters(str(pattern)))}, {args[2]})"


def _concat(_: Call, args: Sequence[str]) -> str:
    """Nulls are left out."""
    return "(" + " || ".join(f"COALESCE({arg}, '')" for arg in args) + ")"


def _concat_ws(_: Call, args: Sequence[str]) -> str:
    """Each behind a separator, and the first separator taken off again."""
    separator, *parts = args
    joined = " || ".join(f"COALESCE({separator} || {part}, '')" for part in parts)
    return f"SUBSTR({joined}, LENGTH({separator}) + 1)"


TEXTS: dict[str, Lowering] = {
    "concatenate": "({0} || {1})", "like": _like, "ilike": _ilike,
    "regexp_matches": _matches(whole=False), "regexp_full_match": _matches(whole=True),
    "regexp_replace": _replace_match, "concat": _concat, "concat_ws": _concat_ws,
    "length": counted("LENGTH({0})"), "lower": "LOWER({0})", "upper": "UPPER({0})",
    "trim": _trim("TRIM"), "ltrim": _trim("LTRIM"), "rtrim": _trim("RTRIM"),
    "replace": "REPLACE({0}, {1}, {2})", "left": "LEFT({0}, {1})", "right": "RIGHT({0}, {1})",
    "substring": lambda _, args: f"SUBSTR({', '.join(args)})",
    "lpad": "LPAD({0}, {1}, {2})", "rpad": "RPAD({0}, {1}, {2})", "repeat": "REPEAT({0}, {1})", "reverse": "REVERSE({0})",
    "split_part": "SPLIT_PART({0}, {1}, {2})", "position": counted("POSITION({1} IN {0})"),
    "starts_with": "STARTSWITH({0}, {1})", "ends_with": "ENDSWITH({0}, {1})", "contains": "CONTAINS({0}, {1})",
    "md5": "MD5({0})", "sha256": "SHA2({0}, 256)",
}  # fmt: skip

#: Arguments, by place, that have to be literals, of which the least number or the shortest text is given. Elsewhere Snowflake counts
#: from the other end, or does not say what it does.
LITERAL_ONLY: dict[str, dict[int, int]] = {
    "replace": {1: 1}, "left": {1: 0}, "right": {1: 0}, "substring": {1: 1, 2: 0}, "lpad": {1: 0, 2: 1}, "rpad": {1: 0, 2: 1},
    "repeat": {1: 0}, "split_part": {1: 1, 2: 1}, "position": {1: 1},
}  # fmt: skip
