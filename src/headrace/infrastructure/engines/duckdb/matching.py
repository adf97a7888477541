"""Looking at a cell of text as a whole: regular expressions and the white space around it. Not what the text says."""

from __future__ import annotations

from headrace.infrastructure.engines.duckdb.literals import text

#: The white space of ASCII, which is ignored around everything but strings.
SPACE = r"[\s\v]*"
_SPACES = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"


def matches(value: str, pattern: str) -> str:
    """The whole text is like the pattern."""
    return f"regexp_full_match({value}, {text(pattern)})"


def matches_spaced(value: str, pattern: str) -> str:
    """The same, with white space around it or without."""
    return matches(value, f"{SPACE}{pattern}{SPACE}")


def trimmed(value: str) -> str:
    """Without the white space around it. This is ten times as slow as a cast: only for cells that have some."""
    return f"trim({value}, {_SPACES})"
