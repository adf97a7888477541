"""Names and texts as Spark's SQL writes them, which is the only place where either becomes SQL."""

from __future__ import annotations

_ESCAPED = {**{chr(code): f"\\u{code:04x}" for code in range(32)}, "\\": "\\\\", "'": "''"}


def identifier(name: str) -> str:
    """A name, always quoted. No name has a NUL in it."""
    return "`" + name.replace("\0", "").replace("`", "``") + "`"


def text(value: str) -> str:
    """A text. Backslashes are escapes to Spark, and a quote in a text is written twice, which every reader of SQL understands."""
    return "'" + "".join(_ESCAPED.get(char, char) for char in value) + "'"
