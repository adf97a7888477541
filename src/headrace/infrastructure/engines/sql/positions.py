"""How far a source was read, which most engines find by a cursor, and some sources know themselves. Not which rows are new."""

from __future__ import annotations

from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import PlannedSource


def read_before(source: PlannedSource, after: str | None) -> ReadUpTo:
    """What earlier runs have read. A source that keeps that itself is told where to begin."""
    if (own := source.scan.own_position) is not None:
        own.start(after if source.remembers else None)
    return ReadUpTo() if source.remembers else ReadUpTo.of(after)


def reached(source: PlannedSource, by_cursor: str | None) -> str | None:
    """How far it is read now."""
    own = source.scan.own_position if source.remembers else None
    return own.reached() if own is not None else by_cursor
