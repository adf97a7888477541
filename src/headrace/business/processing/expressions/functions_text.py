"""The catalogue: text. Characters are Unicode code points; positions count from 1; regular expressions are those of RE2."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import STRICT, Function
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.business.processing.expressions.patterns import pattern_brackets, pattern_problem

_TEXT = "Text"


def _pattern(args: Sequence[Expr]) -> None:
    pattern = args[1]
    if isinstance(pattern, Constant) and isinstance(pattern.value, str) and (why := pattern_problem(pattern.value)):
        raise BindError(f"this regular expression cannot be used: {why}", "the syntax is that of RE2", 1)


def _one_character(args: Sequence[Expr]) -> None:
    if len(args) > 2 and isinstance(args[2], Constant) and len(args[2].value or "") != 1:
        raise BindError("the escape is one character", argument=2)


def _above_zero(args: Sequence[Expr]) -> None:
    if isinstance(args[2], Constant) and args[2].value is not None and args[2].value < 1:
        raise BindError("parts are counted from 1", argument=2)
    if isinstance(args[1], Constant) and args[1].value == "":
        raise BindError("the separator is empty", "write `substring(text, n, 1)` for single characters", 1)


def _filled(args: Sequence[Expr]) -> None:
    if isinstance(args[2], Constant) and args[2].value == "":
        raise BindError("there is nothing to fill with", argument=2)


def _brackets(args: Sequence[Expr]) -> None:
    _pattern(args)
    part, pattern = args[2] if len(args) > 2 else None, args[1]
    if isinstance(part, Constant) and isinstance(pattern, Constant) and part.value is not None and pattern.value is not None:
        last = pattern_brackets(pattern.value)
        if not 0 <= part.value <= last:
            raise BindError(f"this regular expression has {last} pairs of brackets", "0 is the whole match", 2)


def _text(signature: str, meaning: str, example: str, gives: str, *aliases: str, nulls: str = STRICT) -> Function:
    return Function(signature, meaning, example, gives, _TEXT, nulls=nulls, aliases=aliases)


FUNCTIONS = (
    Function("concatenate(left: string, right: string) -> string", "One text after the other.", "'a' || 'b'", "'ab'", _TEXT, "operator", written="a || b"),
    Function("like(text: string, pattern: string, [escape: constant string]) -> boolean", "Whether the whole text looks like the pattern: `_` is one character, `%` any number of them. No character escapes them unless one is named: `like '10!%' escape '!'`.", "'abc' like 'a%'", "true", _TEXT, "operator", written="a like b", check=_one_character),
    Function("ilike(text: string, pattern: string, [escape: constant string]) -> boolean", "`like` without regard to case.", "'ABC' ilike 'a%'", "true", _TEXT, "operator", written="a ilike b", check=_one_character),
    Function("regexp_matches(text: string, pattern: constant string) -> boolean", "Whether the pattern is found anywhere in the text: anchor it with `^` and `$`. `.` is not a line break, `$` is the very end, `(?i)` at the start ignores case.", "regexp_matches('xabc', '^[a-z]+$')", "true", _TEXT, check=_pattern),
    Function("regexp_full_match(text: string, pattern: constant string) -> boolean", "Whether the pattern is the whole text.", "regexp_full_match('xabc', 'abc')", "false", _TEXT, check=_pattern),
    Function("regexp_extract(text: string, pattern: constant string, [part: constant int64]) -> string", "The first match of the pattern, or the part of it in the given brackets; null when there is none.", "regexp_extract('ab12', '([a-z]+)([0-9]+)', 2)", "'12'", _TEXT, nulls="null when an argument is null or nothing matches", check=_brackets),
    Function("regexp_replace(text: string, pattern: constant string, replacement: constant string) -> string", r"Every match of the pattern replaced; `\1` stands for the first bracket, `\0` for the whole match.", "regexp_replace('a1b22', '[0-9]+', '-')", "'a-b-'", _TEXT, check=_pattern),
    _text("concat(text: string...) -> string", "One text after the other.", "concat('a', null, 'b')", "'ab'", nulls="nulls are left out; never null"),
    _text("concat_ws(separator: string, text: string...) -> string", "The texts with the separator between them.", "concat_ws('-', 'a', null, 'b')", "'a-b'", nulls="nulls are left out; null when the separator is null"),
    _text("length(text: string) -> int64", "How many characters it has.", "length('straße')", "6"),
    _text("lower(text: string) -> string", "Every character in lower case, one for one.", "lower('ÄB')", "'äb'", "lcase"),
    _text("upper(text: string) -> string", "Every character in upper case, one for one: `ß` becomes `ẞ`.", "upper('straße')", "'STRAẞE'", "ucase"),
    _text("title(text: string) -> string", "The first character after each space, and the very first, in upper case, all others in lower case.", "title('NEW york o''HARE')", "'New York O''hare'"),
    _text("trim(text: string, [characters: string]) -> string", "Without the spaces at both ends; any of Unicode's spaces, but no tabs or line breaks. With characters: without those instead.", "trim('  a ')", "'a'"),
    _text("ltrim(text: string, [characters: string]) -> string", "`trim` at the start only.", "ltrim('xxax', 'x')", "'ax'"),
    _text("rtrim(text: string, [characters: string]) -> string", "`trim` at the end only.", "rtrim(' a ')", "' a'"),
    _text("replace(text: string, part: string, other: string) -> string", "Every occurrence of the part replaced, from the left; an empty part is found nowhere.", "replace('aaa', 'aa', 'b')", "'ba'"),
    _text("substring(text: string, start: int64, [count: int64]) -> string", "So many characters (all, unless said) from a position on. What lies before the first or after the last is empty, as SQL has it; a count below zero is none.", "substring('abcdef', 2, 3)", "'bcd'", "substr"),
    _text("left(text: string, count: int64) -> string", "The first characters; none when the count is below zero.", "left('abc', 2)", "'ab'"),
    _text("right(text: string, count: int64) -> string", "The last characters; none when the count is below zero.", "right('abc', 2)", "'bc'"),
    Function("lpad(text: string, count: int64, fill: constant string) -> string", "Filled at the start until it has so many characters; cut at the end when it has more.", "lpad('7', 3, '0')", "'007'", _TEXT, check=_filled),
    Function("rpad(text: string, count: int64, fill: constant string) -> string", "Filled at the end until it has so many characters; cut at the end when it has more.", "rpad('7', 3, '.')", "'7..'", _TEXT, check=_filled),
    _text("repeat(text: string, count: int64) -> string", "The text so many times.", "repeat('ab', 2)", "'abab'"),
    _text("reverse(text: string) -> string", "The characters in reverse order.", "reverse('abc')", "'cba'"),
    Function("split_part(text: string, separator: constant string, part: int64) -> string", "The part of that number between separators; empty when there are fewer.", "split_part('a-b', '-', 2)", "'b'", _TEXT, check=_above_zero),
    _text("position(text: string, part: string) -> int64", "Where the part is first found, 0 when it is not. (SQL's `position(part in text)` is not read.)", "position('abc', 'c')", "3", "strpos", "instr"),
    _text("starts_with(text: string, part: string) -> boolean", "Whether it begins with the part.", "starts_with('abc', 'ab')", "true", "prefix"),
    _text("ends_with(text: string, part: string) -> boolean", "Whether it ends with the part.", "ends_with('abc', 'bc')", "true", "suffix"),
    _text("contains(text: string, part: string) -> boolean", "Whether the part is in it.", "contains('abc', 'b')", "true"),
    _text("strip_accents(text: string) -> string", "Without the accents on its letters; letters such as `ß` and `ø` have none.", "strip_accents('crème')", "'creme'"),
    _text("chr(code: int64) -> string", "The character of a Unicode code point; null when there is none, and for 0.", "chr(65)", "'A'"),
    _text("code(text: string) -> int64", "The Unicode code point of the first character; null for the empty text.", "code('é')", "233", "unicode", "ord"),
    _text("md5(text: string) -> string", "The MD5 of its UTF-8 bytes, in lower-case hexadecimal digits.", "md5('a')", "'0cc175b9c0f1b6a831c399e269772661'"),
    _text("sha256(text: string) -> string", "The SHA-256 of its UTF-8 bytes, in lower-case hexadecimal digits.", "length(sha256('a'))", "64"),
    _text("levenshtein(left: string, right: string) -> int64", "How many bytes of UTF-8 have to be put in, taken out or changed to make one from the other.", "levenshtein('kitten', 'sitting')", "3"),
)  # fmt: skip
