"""The laws of sources."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from headrace.business.ports import Source
from headrace.testing.laws import demand
from headrace.testing.stand_ins import from_python


def source_conforms(source: Any, project: Path) -> None:
    """All laws of sources."""
    for law in (source_names_its_partitions, source_has_its_schema, source_repeats, source_resumes, source_closes):
        law(source, project)


def source_names_its_partitions(source: Any, project: Path) -> None:
    """There is at least one partition, all names differ, and they are the same when asked again."""
    demand(
        isinstance(source, Source),
        f"{type(source).__name__} has not all that a source needs: partitions, read, schema_of, bounded",
    )
    names = list(source.partitions(project))
    demand(names, "there are no partitions: a source without any gives its only one a name")
    demand(len(set(names)) == len(names), f"two partitions have the same name: {names}")
    demand(list(source.partitions(project)) == names, "the partitions differ when they are asked for again")


def source_has_its_schema(source: Any, project: Path) -> None:
    """The batches have the columns of the schema, in order, with their types."""
    schema = source.schema_of(project)
    promised = [(c.name, str(c.type)) for c in schema]
    for partition in source.partitions(project):
        for batch in source.read(project, partition, None):
            found = from_python(partial(list, [batch.rows])).schema_of(project)
            came = [(c.name, str(c.type)) for c in found]
            demand(came == promised, f"the schema promises {promised}, and a batch comes with {came}")


def source_repeats(source: Any, project: Path) -> None:
    """Reading twice gives the same rows; leaving in the middle does no harm."""
    for partition in source.partitions(project):
        first = _rows_of(source, project, partition)
        broken_off = source.read(project, partition, None)
        next(broken_off, None)
        broken_off.close()
        again = _rows_of(source, project, partition)
        demand(again == first, f"partition `{partition}` gives other rows, or other positions, when it is read again")


def source_resumes(source: Any, project: Path) -> None:
    """For every cut, the rows behind it are the rows that reading from its position gives."""
    for partition in source.partitions(project):
        everything = _rows_of(source, project, partition)
        last = {position: i for i, (_, position) in enumerate(everything)}
        for position, i in last.items():
            behind = [row for row, _ in everything[i + 1 :]]
            found = [row for row, _ in _rows_of(source, project, partition, position)]
            demand(
                found == behind,
                f"behind position {position!r} come {len(behind)} rows, and reading on from it gives {len(found)}",
            )


def source_closes(source: Any, project: Path) -> None:
    """Leaving the generator closes every file that was opened."""
    before = _open_files()
    for partition in source.partitions(project):
        reading = source.read(project, partition, None)
        next(reading, None)
        reading.close()
    left = _open_files() - before
    demand(not left, f"left open after reading was broken off: {', '.join(sorted(left))}")


def _rows_of(source: Any, project: Path, partition: str, after: Any = None) -> list[tuple[dict[str, Any], Any]]:
    """Each row with the position behind its batch."""
    return [(row, batch.position) for batch in source.read(project, partition, after) for row in batch.rows.to_pylist()]


def _open_files() -> set[str]:
    """The files that this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return set()
    names = (str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink())
    return {name for name in names if name.startswith("/") and Path(name).is_file()}
