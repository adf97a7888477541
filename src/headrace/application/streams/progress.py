"""What a stream has done so far, counted: for the log, for people who watch, and for accounts that have to balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from headrace.bus.events import DataValidatedEvent
from headrace.business.engine import RuleCount
from headrace.business.ports import Publication
from headrace.business.streams.engine import Judged
from headrace.errors import Unbalanced


@dataclass(slots=True)
class SourceCount:
    """One source, since the run began: `read = good + quarantined + dropped`; `late` are among the good ones."""

    messages: int = 0
    bytes: int = 0
    read: int = 0
    good: int = 0
    quarantined: int = 0
    dropped: int = 0
    late: int = 0
    dead: int = 0
    rules: dict[str, RuleCount] = field(default_factory=dict)

    def add(self, dataset: str, judged: Judged) -> None:
        """Count rows. Raises `Unbalanced` when one is missing or is there twice."""
        if judged.read != judged.good + judged.quarantined + judged.dropped:
            raise Unbalanced(
                f"{dataset}: {judged.read} rows came, but {judged.good} are good, {judged.quarantined} held back and "
                f"{judged.dropped} dropped"
            )
        self.read += judged.read
        self.good += judged.good
        self.quarantined += judged.quarantined
        self.dropped += judged.dropped
        self.late += judged.late
        for rule in judged.rules:
            known = self.rules.get(rule.rule)
            self.rules[rule.rule] = replace(rule, rows=rule.rows + known.rows) if known else rule

    def as_data(self) -> dict[str, Any]:
        """Plain data, for an event."""
        broken = {rule.rule: rule.rows for rule in self.rules.values() if rule.rows}
        return {
            "messages": self.messages, "bytes": self.bytes, "read": self.read, "good": self.good, "quarantined": self.quarantined,
            "dropped": self.dropped, "late": self.late, "dead": self.dead, "rules": broken,
        }  # fmt: skip


def validated(run_id: str, dataset: str, count: SourceCount, quarantine: Path, seconds: float) -> DataValidatedEvent:
    """How a source was judged since the run began."""
    return DataValidatedEvent(
        run_id,
        dataset,
        count.read,
        count.good,
        count.quarantined,
        count.dropped,
        rules=[asdict(rule) for rule in count.rules.values()],
        quarantine=str(quarantine) if count.quarantined else None,
        seconds=seconds,
    )


@dataclass(slots=True)
class SinkCount:
    """What a sink was given since the run began."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    files: int = 0

    def add(self, rows: int, published: Publication) -> None:
        self.rows += rows
        self.inserted += published.inserted
        self.updated += published.updated
        self.unchanged += published.unchanged
        self.files += len(published.files)


@dataclass(slots=True)
class Progress:
    """A stream as it stands."""

    stream: str
    epoch: int = 0
    sources: dict[str, SourceCount] = field(default_factory=dict)
    sinks: dict[str, SinkCount] = field(default_factory=dict)
    lag: dict[str, dict[str, int | None]] = field(default_factory=dict)
    """Messages that wait, by source and partition."""
    delay_seconds: dict[str, float] = field(default_factory=dict)
    """How far the horizon is behind the clock, by source."""
    checkpoint_seconds: float = 0.0
    """How long the last checkpoint took."""
    checkpoint_age_seconds: float = 0.0
    state: Mapping[str, Any] = field(default_factory=dict)
    """Rows and bytes of the state, by step."""
    rate: float = 0.0
    """Rows read per second, lately."""
    paused: bool = False
    workers: Sequence[Mapping[str, Any]] = ()
    """The workers beside the one that leads, and the partitions that each reads."""

    def source(self, name: str) -> SourceCount:
        return self.sources.setdefault(name, SourceCount())

    def sink(self, name: str) -> SinkCount:
        return self.sinks.setdefault(name, SinkCount())

    def as_data(self) -> dict[str, Any]:
        """Plain data, for an event."""
        return {
            "stream": self.stream,
            "epoch": self.epoch,
            "sources": {name: count.as_data() for name, count in self.sources.items()},
            "written_rows": {name: count.rows for name, count in self.sinks.items()},
            "lag": self.lag,
            "delay_seconds": self.delay_seconds,
            "checkpoint_seconds": round(self.checkpoint_seconds, 6),
            "checkpoint_age_seconds": round(self.checkpoint_age_seconds, 3),
            "state": dict(self.state),
            "rate": round(self.rate, 1),
            "paused": self.paused,
            "workers": list(self.workers),
        }
