"""What a run is told of a source: from the counts of an engine, and the rows that it held back. Not how an engine counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from headrace.business.engine import Example, Ingested, QuarantineTarget
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.engines.sql.positions import reached
from headrace.infrastructure.engines.sql.tally import Tally, rule_counts
from headrace.records import record


class Held(Protocol):
    """The rows of a source that broke rules, gathered."""

    def write(self, target: QuarantineTarget) -> int:
        """Write those that are kept; how many they are."""
        ...

    def examples(self) -> Sequence[Example]: ...


@record
class Counted:
    """What an engine counted: rows by their fate, those that broke each late rule, and records that could not be read."""

    rows: Tally
    late: Mapping[str, int]
    unreadable: int

    @property
    def broken(self) -> bool:
        """Whether any row broke anything."""
        return any(self.rows.rules) or any(self.late.values()) or self.unreadable > 0


def accounted(
    source: PlannedSource, counted: Counted, held: Held | None, target: QuarantineTarget, *, size: int, cursor: str | None
) -> Ingested:
    """`size` is how many bytes were read, `cursor` how far by a column. Held rows are written first."""
    rows, unreadable = counted.rows, counted.unreadable
    written = held.write(target) if held is not None else 0
    return Ingested(
        dataset=source.name,
        read=rows.rows + unreadable,
        good=rows.good,
        quarantined=rows.fates["quarantine"] + rows.fates["fail"] + unreadable,
        dropped=rows.fates["drop"],
        filtered=rows.before,
        broken=rows.fates["fail"],
        rules=rule_counts(source, rows.rules, counted.late, unreadable),
        examples=held.examples() if held is not None else (),
        quarantine=target.path if written else None,
        files=getattr(source.scan, "files", ()),
        bytes=size,
        cursor=reached(source, cursor),
    )
