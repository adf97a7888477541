"""The streams of a project as people see them: the last run of each, with how it stood when it was last looked at."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from headrace.application.queries.runs import KnowsRuns, RunView, all_runs
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError
from headrace.records import record


@record
class StreamView:
    """A stream. Counts are those of its last run."""

    name: str
    state: str
    run_id: str
    progress: Mapping[str, Any]

    @property
    def at(self) -> str:
        """When it was last looked at (ISO 8601, UTC)."""
        return str(self.progress["at"])

    @property
    def epoch(self) -> int:
        return int(self.progress["epoch"])

    @property
    def rate(self) -> float:
        """Rows read per second, while it runs."""
        return float(self.progress["rate"]) if self.state == "running" else 0.0

    @property
    def read(self) -> int:
        return sum(source["read"] for source in self.progress["sources"].values())

    @property
    def written(self) -> int:
        return sum(self.progress["written_rows"].values())

    @property
    def lag(self) -> int | None:
        """Messages that wait, as far as the brokers can say."""
        known = [lag for found in self.progress["lag"].values() for lag in found.values() if lag is not None]
        return sum(known) if known else None

    def as_data(self) -> dict[str, Any]:
        return {
            "stream": self.name, "state": self.state, "run": self.run_id, "at": self.at, "epoch": self.epoch, "rate": self.rate,
            "read": self.read, "written": self.written, "lag": self.lag,
        }  # fmt: skip


def all_streams(records: KnowsRuns, paused: Container[str]) -> Sequence[StreamView]:
    """Every stream that ever ran, by name."""
    latest: dict[str, RunView] = {}
    for run in all_runs(records):
        if run.stream:
            latest.setdefault(run.pipeline, run)
    return [StreamView(name, _state(run, paused), run.id, run.stream) for name, run in sorted(latest.items())]


def find_stream(records: KnowsRuns, paused: Container[str], name: str) -> StreamView:
    """The stream of that name. Raises `UsageError`."""
    found = all_streams(records, paused)
    for stream in found:
        if stream.name == name:
            return stream
    raise UsageError(f"there is no stream `{name}`", hint=did_you_mean(name, [stream.name for stream in found]))


def _state(run: RunView, paused: Container[str]) -> str:
    if run.state == "running" and run.pipeline in paused:
        return "paused"
    return "stopped" if run.state == "succeeded" else run.state
