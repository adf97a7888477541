"""What a stream has done so far, counted: for the log, for people who watch, and for accounts that have to balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.bus.events import DataValidatedEvent
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
    rules: Counter[str] = field(default_factory=Counter)

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
            if rule.rows:
                self.rules[rule.rule] += rule.rows


def validated(run_id: str, dataset: str, count: SourceCount, quarantine: Path, seconds: float) -> DataValidatedEvent:
    """How a source was judged since the run began."""
    return DataValidatedEvent(
        run_id,
        dataset,
        count.read,
        count.good,
        count.quarantined,
        count.dropped,
        rules=[{"rule": rule, "rows": rows} for rule, rows in count.rules.items()],
        quarantine=str(quarantine) if count.quarantined else None,
        seconds=seconds,
    )


@dataclass(slots=True)
class Progress:
    """A stream as it stands."""

    stream: str
    epoch: int = 0
    sources: dict[str, SourceCount] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    """Rows by sink."""
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

    def source(self, name: str) -> SourceCount:
        return self.sources.setdefault(name, SourceCount())

    def as_data(self) -> dict[str, Any]:
        """Plain data, for an event."""
        return {
            "stream": self.stream,
            "epoch": self.epoch,
            "sources": {
                name: {
                    "messages": c.messages, "bytes": c.bytes, "read": c.read, "good": c.good, "quarantined": c.quarantined,
                    "dropped": c.dropped, "late": c.late, "dead": c.dead, "rules": dict(c.rules),
                }
                for name, c in self.sources.items()
            },
            "written_rows": dict(self.written),
            "lag": self.lag,
            "delay_seconds": self.delay_seconds,
            "checkpoint_seconds": round(self.checkpoint_seconds, 6),
            "checkpoint_age_seconds": round(self.checkpoint_age_seconds, 3),
            "state": dict(self.state),
            "rate": round(self.rate, 1),
            "paused": self.paused,
        }  # fmt: skip
