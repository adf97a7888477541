"""How dates and times are written: the letters of Java's `DateTimeFormatter`, which the standard uses, and those of `strptime`."""

from __future__ import annotations

import re

#: Java's letters and ours. Each pair is read in both directions; the first that fits is written.
_PAIRS = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%-m"), ("dd", "%d"), ("d", "%-d"),
    ("DDD", "%j"), ("EEEE", "%A"), ("EEE", "%a"), ("HH", "%H"), ("H", "%-H"), ("hh", "%I"), ("h", "%-I"), ("a", "%p"), ("mm", "%M"),
    ("m", "%-M"), ("ss", "%S"), ("s", "%-S"), ("SSSSSS", "%f"), ("XXX", "%z"), ("SSS", "%f"), ("XX", "%z"), ("X", "%z"), ("Z", "%z"),
)  # fmt: skip
_FROM_JAVA = dict(_PAIRS)
_TO_JAVA = {ours: java for java, ours in reversed(_PAIRS)}
_JAVA = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_OURS = re.compile(r"%-?.|[^%]+", re.S)


def from_java(pattern: str) -> str:
    """A pattern in Java's letters, in ours. Raises `ValueError` with the letters that have no like."""
    parts, end = [], 0
    for found in _JAVA.finditer(pattern):
        if found.start() != end:
            break
        end = found.end()
        parts.append(_part(found))
    if end != len(pattern):
        raise ValueError("a quote is opened and never closed")
    return "".join(parts)


def _part(found: re.Match[str]) -> str:
    if found[1] is not None:
        return (found[1].replace("''", "'") or "'").replace("%", "%%")
    if found[2] is None:
        return found[0].replace("%", "%%")
    if found[0] in _FROM_JAVA:
        return _FROM_JAVA[found[0]]
    if found[0] == "T":  # the standard's own examples leave out its quotes
        return "T"
    meant = {"YYYY": "yyyy", "DD": "dd"}.get(found[0])
    raise ValueError(f"`{found[0]}` in a date format has no like here" + (f": did you mean `{meant}`?" if meant else ""))


def to_java(pattern: str) -> str | None:
    """A pattern in our letters, in Java's; None when it cannot be said so that it is read back as it was."""
    parts = []
    for part in _OURS.findall(pattern):
        if part == "%%":
            parts.append("%")
        elif part.startswith("%"):
            if part not in _TO_JAVA:
                return None
            parts.append(_TO_JAVA[part])
        else:
            parts.append("'" + part.replace("'", "''") + "'" if re.search("[A-Za-z']", part) else part)
    java = "".join(parts)
    try:
        return java if from_java(java) == pattern else None
    except ValueError:
        return None
