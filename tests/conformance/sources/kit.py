"""What every source that yields batches has to do, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.business.ports import Source


def rows_of(source: Source, project: Path, partition: str, after: Any = None) -> list[tuple[dict[str, Any], Any]]:
    """Each row with the position behind its batch."""
    return [(row, batch.position) for batch in source.read(project, partition, after) for row in batch.rows.to_pylist()]


def source_resumes(source: Source, project: Path) -> None:
    """For every cut, the rows behind it are the rows that reading from its position gives."""
    for partition in source.partitions(project):
        everything = rows_of(source, project, partition)
        positions = dict.fromkeys(position for _, position in everything)
        for position in positions:
            behind = [row for row, _ in everything[1 + max(i for i, (_, p) in enumerate(everything) if p == position) :]]
            assert [row for row, _ in rows_of(source, project, partition, position)] == behind


def source_repeats(source: Source, project: Path) -> None:
    """Reading twice gives the same rows; leaving in the middle does no harm."""
    for partition in source.partitions(project):
        first = rows_of(source, project, partition)
        broken_off = source.read(project, partition, None)
        next(broken_off, None)
        broken_off.close()  # type: ignore[attr-defined]
        assert rows_of(source, project, partition) == first


def source_has_its_schema(source: Source, project: Path) -> None:
    """The batches have the columns of the schema, in order."""
    names = list(source.schema_of(project).names)
    for partition in source.partitions(project):
        for batch in source.read(project, partition, None):
            assert batch.rows.schema.names == names


ALL = (source_resumes, source_repeats, source_has_its_schema)
