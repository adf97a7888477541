"""The rows that come of a dataset and those that a target holds, as a DuckDB query. Not what a mode means (see `comparing`)."""

from __future__ import annotations

from headrace.business.engine import Meeting
from headrace.business.inside import HeldInside
from headrace.business.model.types import String
from headrace.infrastructure.engines.duckdb.literals import identifier, literal


def met(dataset: str, meeting: Meeting) -> str:
    """A query of the rows of a meeting, from the query of its dataset. Both have the columns that are measured."""
    if isinstance(meeting.held, HeldInside):
        raise TypeError(f"{meeting.held.database} is no place that this engine knows")
    files = ", ".join(literal(str(path), String()) for path in meeting.held.files)
    names = ", ".join(identifier(name) for name in meeting.held.schema.names)
    held = f"SELECT {names} FROM read_parquet([{files}], hive_partitioning = false) AS held"
    if not meeting.joined:
        return held
    if meeting.key:
        same = " AND ".join(f"held.{identifier(k)} = come.{identifier(k)}" for k in meeting.key)
        held += f" WHERE NOT EXISTS (SELECT 1 FROM ({dataset}) AS come WHERE {same})"
    return f"SELECT {names} FROM ({dataset}) UNION ALL {held}"
