"""The functions on text in PostgreSQL's SQL. Regular expressions come in through `regular_expressions`."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.postgres.calling import OWN, counted, listed, own, small, written
from headrace.infrastructure.engines.postgres.literals import text
from headrace.infrastructure.engines.postgres.regular_expressions import translated, translated_replacement
from headrace.infrastructure.engines.sql.dialect import Lowering

#: Unicode's spaces, which `trim` takes.
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def _trim(name: str) -> Lowering:
    return lambda _, args: f"{name}({args[0]}, {args[1] if len(args) > 1 else text(_SPACES)})"


def _like(_: Call, args: Sequence[str]) -> str:
    """No character escapes another unless one is named."""
    return f'({args[0]} COLLATE "C" LIKE {args[1]} ESCAPE {args[2] if len(args) > 2 else text("")})'


def _ilike(e: Call, args: Sequence[str]) -> str:
    left, right = (f"{OWN}lower_case({arg})" for arg in args[:2])
    return _like(e, (left, right, *args[2:]))


def _substring(e: Call, args: Sequence[str]) -> str:
    """SQL's: characters are counted from 1, also those that are not there. A count below zero is none."""
    start, count = written(e.args[1]), written(e.args[2]) if len(e.args) > 2 else None
    if len(args) == 2:
        return f"substr({args[0]}, {small(args[1], e.args[1])})"
    if isinstance(start, int) and isinstance(count, int) and count >= 0 and abs(start) + count < 2**31:
        return f"substr({args[0]}, {start}, {count})"
    return f"{OWN}part_of_text({', '.join(args)})"


def _end(name: str) -> Lowering:
    """`left` and `right`: below zero PostgreSQL counts from the other end."""
    return lambda e, args: f"{name}({args[0]}, {small(args[1], e.args[1], below_zero=False)})"


def _pad(name: str) -> Lowering:
    return lambda _, args: f"{name}({args[0]}, CAST({args[1]} AS integer), {args[2]})"


def _repeat(e: Call, args: Sequence[str]) -> str:
    return f"repeat({args[0]}, {small(args[1], e.args[1])})"


def _split_part(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[2])
    plain = f"split_part({args[0]}, {args[1]}, {small(args[2], e.args[2])})"
    if isinstance(part, int) and part >= 1:
        return plain
    return f"CASE WHEN {args[2]} < 1 AND {args[0]} IS NOT NULL THEN '' ELSE {plain} END"


def _pattern(e: Call, *, whole: bool = False) -> str:
    pattern = written(e.args[1])
    return "CAST(NULL AS text)" if pattern is None else text(translated(str(pattern), whole=whole))


def _matches(*, whole: bool) -> Lowering:
    return lambda e, args: f'({args[0]} COLLATE "C" ~ {_pattern(e, whole=whole)})'


def _extract_match(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[2]) if len(e.args) > 2 else 0
    if part is None or written(e.args[1]) is None:
        return "CAST(NULL AS text)"
    pattern = translated(str(written(e.args[1])), outer_group=True)
    found = f'(regexp_match({args[0]} COLLATE "C", {text(pattern)}))[{int(str(part)) + 1}]'
    if part == 0:
        return found
    return f"CASE WHEN {_matches_text(args[0], pattern)} THEN coalesce({found}, '') END"


def _matches_text(value: str, pattern: str) -> str:
    return f'{value} COLLATE "C" ~ {text(pattern)}'


def _replace_match(e: Call, args: Sequence[str]) -> str:
    if written(e.args[1]) is None or written(e.args[2]) is None:
        return "CAST(NULL AS text)"
    pattern, other = translated(str(written(e.args[1])), groups=True), translated_replacement(str(written(e.args[2])))
    return f"regexp_replace({args[0]} COLLATE \"C\", {text(pattern)}, {text(other)}, 'g')"


TEXTS: dict[str, Lowering] = {
    "concatenate": "({0} || {1})", "like": _like, "ilike": _ilike,
    "regexp_matches": _matches(whole=False), "regexp_full_match": _matches(whole=True),
    "regexp_extract": _extract_match, "regexp_replace": _replace_match,
    "concat": listed("concat({})"), "concat_ws": listed("concat_ws({})"), "title": own("title_case"),
    "length": counted("char_length({0})"), "lower": own("lower_case"), "upper": own("upper_case"),
    "trim": _trim("btrim"), "ltrim": _trim("ltrim"), "rtrim": _trim("rtrim"),
    "replace": 'replace({0} COLLATE "C", {1}, {2})', "substring": _substring, "left": _end("left"), "right": _end("right"),
    "lpad": _pad("lpad"), "rpad": _pad("rpad"), "repeat": _repeat, "reverse": "reverse({0})", "split_part": _split_part,
    "position": counted('strpos({0} COLLATE "C", {1})'), "starts_with": 'starts_with({0} COLLATE "C", {1})',
    "ends_with": '(right({0}, char_length({1})) COLLATE "C" = {1})', "contains": '(strpos({0} COLLATE "C", {1}) > 0)',
    "strip_accents": own("without_accents"),
    "chr": "CASE WHEN {0} BETWEEN 1 AND 55295 OR {0} BETWEEN 57344 AND 1114111 THEN chr(CAST({0} AS integer)) END",
    "code": "CAST(nullif(ascii({0}), 0) AS bigint)", "md5": "md5({0})",
    "sha256": "encode(sha256(convert_to({0}, 'UTF8')), 'hex')", "levenshtein": own("edits"),
    "encode": "convert_to({0}, 'UTF8')", "byte_length": "CAST(octet_length({0}) AS bigint)",
}  # fmt: skip
