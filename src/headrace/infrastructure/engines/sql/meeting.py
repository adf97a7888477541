"""The rows that come of a dataset together with those that a target holds, as a query. Not where these lie, nor what a mode means (see
`comparing`)."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.engine import Meeting


def met(dataset: str, held: str, meeting: Meeting, identifier: Callable[[str], str]) -> str:
    """A query of the rows of a meeting, from the queries of its two sides. Both have the columns that are measured."""
    names = ", ".join(map(identifier, meeting.held.schema.names))
    kept = f"SELECT {names} FROM ({held}\n) AS held"
    if not meeting.joined:
        return kept
    if meeting.key:
        same = " AND ".join(f"held.{identifier(k)} = come.{identifier(k)}" for k in meeting.key)
        kept += f" WHERE NOT EXISTS (SELECT 1 FROM ({dataset}\n) AS come WHERE {same})"
    return f"SELECT {names} FROM ({dataset}\n) AS come UNION ALL {kept}"
