"""Names and texts inside SQL: the only two things from outside that reach a statement. Not a builder of statements."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(name: str) -> str:
    """A name as an identifier. DuckDB, SQLite and PostgreSQL agree on how."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Iterable[str], owner: str = "") -> str:
    """Several names, each of the table `owner` if one is given."""
    return ", ".join((f"{owner}." if owner else "") + quoted(name) for name in names)


def literal(text: str) -> str:
    """A text as a value."""
    if "\0" in text:
        raise ValueError("a text with a NUL character cannot stand in a statement")
    return "'" + text.replace("'", "''") + "'"
