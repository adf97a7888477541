"""The functions on text in Spark's SQL."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import big, listed, small, written
from headrace.infrastructure.engines.spark.letter_case import lower_case, upper_case
from headrace.infrastructure.engines.spark.naming import text
from headrace.infrastructure.engines.spark.regular_expressions import translated, translated_replacement
from headrace.infrastructure.engines.sql.dialect import Lowering

#: Unicode's spaces.
_SPACES = text(" \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
_NULL = "CAST(NULL AS STRING)"


def _trim(side: str) -> Lowering:
    return lambda _, args: f"trim({side} {args[1] if len(args) > 1 else _SPACES} FROM {args[0]})"


def like_pattern(e: Call, args: Sequence[str]) -> str:
    """Spark takes a backslash for an escape where none was named."""
    pattern, escape = written(e.args[1]), written(e.args[2]) if len(e.args) > 2 else None
    if len(e.args) > 2 and isinstance(pattern, str) and isinstance(escape, str):
        return text(_escaped(pattern, escape))
    if len(e.args) > 2:
        return _NULL
    return text(pattern.replace("\\", "\\\\")) if isinstance(pattern, str) else f"replace({args[1]}, '\\\\', '\\\\\\\\')"


def _escaped(pattern: str, escape: str) -> str:
    made, place = [], 0
    while place < len(pattern):
        char = pattern[place]
        if char == escape and place + 1 < len(pattern):
            place += 1
            made.append(f"\\{pattern[place]}" if pattern[place] in "%_\\" else pattern[place])
        else:
            made.append("\\\\" if char == "\\" else char)
        place += 1
    return "".join(made)


def _like(e: Call, args: Sequence[str]) -> str:
    return f"({args[0]} LIKE {like_pattern(e, args)})"


def _ilike(e: Call, args: Sequence[str]) -> str:
    """In lower case both: a pattern's letters are changed as those of the text are."""
    return f"({lower_case(args[0])} LIKE {lower_case(like_pattern(e, args))})"


def _matches(*, whole: bool) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        pattern = written(e.args[1])
        if pattern is None:
            return "CAST(NULL AS BOOLEAN)"
        return f"({args[0]} RLIKE {text(translated(str(pattern), whole=whole))})"

    return lower


def _extract_match(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[2]) if len(e.args) > 2 else 0
    if written(e.args[1]) is None or part is None:
        return _NULL
    pattern = text(translated(str(written(e.args[1]))))
    return f"CASE WHEN {args[0]} RLIKE {pattern} THEN regexp_extract({args[0]}, {pattern}, {part}) END"


def _replace_match(e: Call, args: Sequence[str]) -> str:
    if written(e.args[1]) is None or written(e.args[2]) is None:
        return _NULL
    pattern, other = translated(str(written(e.args[1]))), translated_replacement(str(written(e.args[2])))
    return f"regexp_replace({args[0]}, {text(pattern)}, {text(other)})"


def _substring(e: Call, args: Sequence[str]) -> str:
    """SQL's: characters are counted from 1, also those that are not there."""
    start, count = written(e.args[1]), written(e.args[2]) if len(e.args) > 2 else None
    value, first = args[0], args[1]
    if isinstance(start, int) and 1 <= start < 2**31 and len(args) == 2:
        return f"substring({value}, {start})"
    if isinstance(start, int) and isinstance(count, int) and 1 <= start < 2**30 and 0 <= count < 2**30:
        return f"substring({value}, {start}, {count})"
    begin = f"CAST(greatest(least({first}, 2147483647L), 1L) AS INT)"
    given = f"{value} IS NOT NULL AND {first} IS NOT NULL"
    if len(args) == 2:
        return f"CASE WHEN {given} THEN substring({value}, {begin}) END"
    bounded = (f"greatest(least({arg}, 4294967296L), -4294967296L)" for arg in args[1:])
    shown = f"CAST(least(greatest({' + '.join(bounded)} - greatest(least({first}, 4294967296L), 1L), 0L), 2147483647L) AS INT)"
    return f"CASE WHEN {given} AND {args[2]} IS NOT NULL THEN substring({value}, {begin}, {shown}) END"


def _counted(name: str) -> Lowering:
    """`name(text, count, ...)`."""
    return lambda e, args: f"{name}({', '.join([args[0], small(args[1], e.args[1]), *args[2:]])})"


def _split_part(e: Call, args: Sequence[str]) -> str:
    """Spark counts from the end below zero, and refuses zero."""
    place = written(e.args[2])
    plain = f"split_part({args[0]}, {args[1]}, {small(args[2], e.args[2])})"
    if isinstance(place, int) and place >= 1:
        return plain
    return f"CASE WHEN {args[2]} < 1 AND {args[0]} IS NOT NULL AND {args[1]} IS NOT NULL THEN '' WHEN {args[2]} >= 1 THEN {plain} END"


def split_text(e: Call, args: Sequence[str]) -> str:
    """Spark splits by a regular expression."""
    separator = written(e.args[1])
    if separator is None:
        return "CAST(NULL AS ARRAY<STRING>)"
    if separator == "":
        return f"CASE WHEN {args[0]} = '' THEN array('') ELSE split({args[0]}, '') END"
    quoted = "".join(f"\\x{{{ord(char):X}}}" for char in str(separator))
    return f"split({args[0]}, {text(quoted)})"


def _title(_: Call, args: Sequence[str]) -> str:
    capital = upper_case("left(word, 1)")
    return f"array_join(transform(split({lower_case(args[0])}, ' '), word -> concat({capital}, substring(word, 2))), ' ')"


TEXTS: dict[str, Lowering] = {
    "concatenate": "({0} || {1})", "like": _like, "ilike": _ilike,
    "regexp_matches": _matches(whole=False), "regexp_full_match": _matches(whole=True),
    "regexp_extract": _extract_match, "regexp_replace": _replace_match,
    "concat": listed("concat_ws('', {})"), "concat_ws": listed("concat_ws({})"), "title": _title,
    "length": big("char_length({0})"), "lower": lambda _, args: lower_case(args[0]), "upper": lambda _, args: upper_case(args[0]),
    "trim": _trim("BOTH"), "ltrim": _trim("LEADING"), "rtrim": _trim("TRAILING"),
    "replace": "replace({0}, {1}, {2})", "substring": _substring, "left": _counted("left"), "right": _counted("right"),
    "lpad": "lpad({0}, CAST({1} AS INT), {2})", "rpad": "rpad({0}, CAST({1} AS INT), {2})",
    "repeat": _counted("repeat"), "reverse": "reverse({0})",
    "split_part": _split_part, "string_split": split_text,
    "position": big("locate({1}, {0})"), "starts_with": "startswith({0}, {1})", "ends_with": "endswith({0}, {1})",
    "contains": "contains({0}, {1})",
    "chr": "CASE WHEN {0} BETWEEN 1 AND 55295 OR {0} BETWEEN 57344 AND 1114111 THEN decode(unhex(lpad(hex({0}), 8, '0')), 'UTF-32') END",
    "code": "CAST(nullif(ascii({0}), 0) AS BIGINT)", "md5": "md5(CAST({0} AS BINARY))", "sha256": "sha2(CAST({0} AS BINARY), 256)",
    # By bytes, each taken for a character.
    "levenshtein": big("levenshtein(decode(CAST({0} AS BINARY), 'ISO-8859-1'), decode(CAST({1} AS BINARY), 'ISO-8859-1'))"),
    "encode": "CAST({0} AS BINARY)", "byte_length": big("octet_length({0})"),
}  # fmt: skip
