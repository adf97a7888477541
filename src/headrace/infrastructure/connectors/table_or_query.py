"""What sources in databases have in common: they read a table or a query, one of the two."""

from __future__ import annotations

from typing import TypeVar

ONE_OF = "give either `table` or `query`"

T = TypeVar("T")


def exactly_one(source: T, table: str | None, query: str | None) -> T:
    """The source itself. Raises `ValueError` when it names both, none, or something empty."""
    if (table is None) == (query is None):
        raise ValueError(f"{ONE_OF}, {'not both' if table is not None else 'one of them is needed'}")
    written = table if table is not None else query or ""
    if not written.strip() or "\0" in written:
        raise ValueError(
            f"`{'table' if table is not None else 'query'}` is empty" if not written.strip() else "a NUL stands in it"
        )
    return source


def bare(query: str) -> str:
    """A query as part of another: without the semicolon that people put behind it."""
    return query.strip().rstrip(";").rstrip()
