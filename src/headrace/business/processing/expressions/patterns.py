"""Which regular expressions can be used: those of RE2, which run in linear time. It finds mistakes early; engines have the last word."""

from __future__ import annotations

import re
import warnings

#: RE2 refuses to count further.
MOST_REPEATS = 1000

_UNSUPPORTED = (
    (r"\(\?(?:=|!|<=|<!)", "look-around is not supported"),
    (r"\\[1-9]|\(\?P=", "back-references are not supported"),
    (r"\(\?>", "atomic groups are not supported"),
    (r"\(\?\(", "conditions are not supported"),
    (r"\(\?#", "comments are not supported"),
    (r"[*+?}]\+", "possessive repetition is not supported"),
    (r"\\Z", r"the end of the text is written `$` or `\z`"),
)
_CHECKS = [(re.compile(rf"(?<!\\)(?:\\\\)*(?:{form})"), why) for form, why in _UNSUPPORTED]
#: What RE2 knows and Python does not, each of which stands for one character or for nothing.
_ONLY_RE2 = re.compile(r"\\[pP](?:\w|\{\^?\w+\})|\[:\^?\w+:\]|\\[zCQE]")


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, or None. See the syntax of RE2 (github.com/google/re2/wiki/Syntax)."""
    for unsupported, why in _CHECKS:
        if unsupported.search(pattern):
            return why
    for count in re.findall(r"(?<!\\)\{(\d+)", pattern) + re.findall(r"(?<!\\)\{\d*,(\d+)", pattern):
        if int(count) > MOST_REPEATS:
            return f"at most {MOST_REPEATS} repeats can be asked for"
    try:
        _compiled(pattern)
    except re.error as error:
        return f"{error.msg}" + (f" at character {error.pos + 1}" if error.pos is not None else "")
    return None


def pattern_brackets(pattern: str) -> int:
    """How many pairs of brackets a usable pattern has that can be asked for."""
    return _compiled(pattern).groups


def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about sets of characters that Python may read otherwise one day
        return re.compile(_ONLY_RE2.sub("x", pattern))
