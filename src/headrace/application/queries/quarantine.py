"""What is held back, from the read side: by run and dataset, and how much of it is still open. Not the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from headrace.application.queries.records import Records
from headrace.application.queries.runs import RunView, all_runs
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError


@dataclass(slots=True)
class Held:
    """The rows of one dataset that one run held back.

    `state` is `open`, `replayed` (all of them went through again), `expired` (they were kept as long as `quarantine_days` says, or
    their file was removed), or `replaced` (a later run read the same source whole, so
    that what is wrong with it now stands in that run's quarantine).
    """

    run_id: str
    pipeline: str
    dataset: str
    path: Path
    rows: int
    reasons: dict[str, int]
    replayed: set[str] = field(default_factory=set)
    state: str = "open"

    @property
    def open_rows(self) -> int:
        return self.rows - len(self.replayed) if self.state == "open" else 0


def held_rows(records: Records, folder: Path | None = None) -> list[Held]:
    """Everything that was ever held back by a run that ended well, the latest run first. The rows are below `folder`, the quarantine of
    the project, wherever that is now and whoever asks; without it they are where the run said, from the folder where it was begun.
    """
    found: list[Held] = []
    seen_whole: set[tuple[str, str]] = set()
    replayed = _replayed(records)
    for run in all_runs(records):
        for dataset, source in run.sources.items():
            if not source.get("quarantine"):
                continue
            place = folder / run.pipeline / dataset / f"{run.id}.parquet" if folder else Path(source["quarantine"])
            held = Held(run.id, run.pipeline, dataset, place, source["quarantined"], _reasons(source))
            held.replayed = replayed.get(run.id, {}).get(dataset, set())
            if held.rows and len(held.replayed) >= held.rows:
                held.state = "replayed"
            elif (run.pipeline, dataset) in seen_whole:
                held.state = "replaced"
            elif not held.path.exists():
                held.state = "expired"
            elif run.state != "succeeded":
                held.state = run.state
            found.append(held)
        if run.state == "succeeded" and rebuilds(run):
            seen_whole |= {(run.pipeline, dataset) for dataset in run.sources}
    return found


def rebuilds(run: RunView) -> bool:
    """Whether every target of a run is built anew each time, from the whole source."""
    return all(node.get("mode", "replace") == "replace" for node in run.graph if node["part"] == "sink")


def find_held(records: Records, run_id: str, dataset: str | None, folder: Path | None = None) -> Held:
    """What a run held back of a dataset; `latest` means the latest run that held anything back. Raises `UsageError`."""
    every = held_rows(records, folder)
    if not every:
        raise UsageError("nothing is held back", hint="no run of this project has met a row that broke a rule")
    ended = [h for h in every if h.state not in ("running", "cancelled")]
    chosen = (ended or every) if run_id == "latest" else [h for h in every if h.run_id.startswith(run_id)]
    if not chosen:
        raise UsageError(f"run `{run_id}` held nothing back", hint=did_you_mean(run_id, [h.run_id for h in every]))
    of_run = [h for h in chosen if h.run_id == chosen[0].run_id]
    if dataset is None:
        if len(of_run) > 1:
            raise UsageError(
                "several datasets have rows held back", hint="say which with --dataset: " + ", ".join(h.dataset for h in of_run)
            )
        return of_run[0]
    match = next((h for h in of_run if h.dataset == dataset), None)
    if match is None:
        raise UsageError(f"nothing of `{dataset}` is held back", hint=did_you_mean(dataset, [h.dataset for h in of_run]))
    return match


def _reasons(source: dict[str, object]) -> dict[str, int]:
    rules = source.get("rules")
    return {r["rule"]: r["rows"] for r in rules if r["rows"]} if isinstance(rules, list) else {}


def _replayed(records: Records) -> dict[str, dict[str, set[str]]]:
    """By original run and dataset, the ids of the rows that went through again."""
    found: dict[str, dict[str, set[str]]] = {}
    for note in records.views.replays():
        if note.kind == "replayed":
            found.setdefault(note.from_run, {}).setdefault(note.dataset, set()).update(note.rows)
    return found
