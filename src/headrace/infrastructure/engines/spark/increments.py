"""Of a source that is read by cursor, tells the rows that no earlier run has read from the others. DuckDB looks at what the executors have
judged, so that positions and digests are those of every engine: at the cursor, and at the columns by which rows are told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.engines.duckdb.increments import Increment
from headrace.infrastructure.engines.duckdb.literals import identifier as duckdb_identifier
from headrace.infrastructure.engines.duckdb.literals import text as duckdb_text
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.spark.area import Area, parts, read
from headrace.infrastructure.engines.spark.checked import FILE, NUMBER, Checked
from headrace.infrastructure.engines.spark.intake import ROW, Intake, relation
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.records import record

LEFT = identifier("#left")


@record
class Reading:
    """The judged rows of a source, and which of them are none of this run's."""

    rows: str
    """What stands after FROM. Rows of earlier runs have broken nothing here."""
    left: str = "false"
    """A condition on them: an earlier run has read the row."""
    position: str | None = None
    """How far the source is read when the others are published."""


@record
class _Seen:
    """Judged rows in the eyes of DuckDB."""

    table: str
    kept: Sequence[str]
    row: str = duckdb_identifier(ROW)

    def stored(self, name: str) -> str:
        return duckdb_identifier(name)


def reading(area: Area, intake: Intake, source: PlannedSource, checked: Checked, judged: Path, before: ReadUpTo) -> Reading:
    """What a run has to do with the rows that lie judged in a folder. Without a cursor, everything."""
    if source.cursor is None:
        return Reading(read(judged))
    found = Increment(intake.con, source, source.cursor, _seen(source, checked, judged), before)
    if found.left == "false":
        return Reading(read(judged), position=found.position)
    left = area.path("left", source.name).with_suffix(".parquet")
    intake.con.execute(f"COPY {found.rows} TO {duckdb_text(str(left))} (FORMAT parquet)").fetchall()
    marked = area.write("marked", source.name, _marked(checked, read(judged), read(left)))
    return Reading(read(marked), LEFT, found.position)


def _seen(source: PlannedSource, checked: Checked, judged: Path) -> _Seen:
    kinds = {c.name: duckdb_type(c.type) for c in source.schema}
    columns = "".join(f", CAST({duckdb_identifier(n)} AS {kinds[n]}) AS {duckdb_identifier(n)}" for n in checked.kept)
    return _Seen(f"(SELECT {duckdb_identifier(ROW)}{columns} FROM {relation(parts(judged))})", checked.kept)


def _marked(checked: Checked, judged: str, left: str) -> str:
    kept = "".join(f"c.{identifier(name)}, " for name in checked.kept)
    masks = "".join(f"CASE WHEN l.r IS NULL THEN c.{mask} ELSE 0L END AS {mask}, " for mask in checked.masks)
    return (
        f"SELECT {kept}{masks}c.{FILE}, c.{NUMBER}, l.r IS NOT NULL AS {LEFT} "
        f"FROM {judged} AS c LEFT JOIN {left} AS l ON l.r = c.{NUMBER}"
    )
