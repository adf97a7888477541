"""`headrace quarantine`: what is held back, why, and its way through again. Not how a row comes to be held back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import number, paint, printable, say, say_json, table
from headrace.application.cli.summary import summary
from headrace.application.cli.system import System
from headrace.application.queries.quarantine import find_held, held_rows
from headrace.errors import UsageError


def list_held(system: System, project: Path, *, every: bool, as_json: bool) -> None:
    found = [h for h in held_rows(system.event_store(project), _folder(system, project)) if every or h.open_rows]
    if as_json:
        say_json(
            [
                {
                    "run": h.run_id,
                    "pipeline": h.pipeline,
                    "dataset": h.dataset,
                    "state": h.state,
                    "rows": h.rows,
                    "open": h.open_rows,
                    "reasons": h.reasons,
                    "file": str(h.path),
                }
                for h in found
            ]
        )
        return
    if not found:
        say("nothing is held back")
        return
    rows = [
        (
            h.run_id,
            h.pipeline,
            h.dataset,
            h.state,
            number(h.rows),
            number(h.open_rows),
            ", ".join(f"{r} {n:,}" for r, n in list(h.reasons.items())[:4]),
        )
        for h in found
    ]
    for line in table(("run", "pipeline", "dataset", "state", "rows", "open", "reasons"), rows, right=(4, 5)):
        say(line)


def show_held(
    system: System, project: Path, run_id: str, dataset: str | None, reason: str | None, limit: int, *, as_json: bool
) -> None:
    held = find_held(system.event_store(project), run_id, dataset, _folder(system, project))
    rows = system.held().rows(held.path, reason, limit)
    if as_json:
        say_json([{**row, "raw": json.loads(row["raw"]) if row["raw"] else None} for row in rows])
        return
    say(
        f"{paint(held.dataset, 'bold')} of run {held.run_id}: {number(held.rows)} rows held back, {number(held.open_rows)} open"
    )
    for name, count in sorted(held.reasons.items(), key=lambda item: -item[1]):
        say(f"  {number(count):>9}  {name}")
    for row in rows:
        place = printable(str(row["file"])) + (f", record {row['record']:,}" if row["record"] else "")
        say("")
        say(f"{paint(', '.join(row['reasons']), 'yellow')}  {paint(place, 'dim')}")
        if row["raw"]:
            say("  " + ", ".join(f"{k} = {v!r}" for k, v in json.loads(row["raw"]).items()))
        else:
            say(f"  {row['note']}: {row['text']!r}")
    if len(rows) == limit and held.rows > limit:
        say(paint(f"\nthe first {limit}; `headrace quarantine export FILE` writes all", "dim"))


def export_held(system: System, project: Path, run_id: str, dataset: str | None, reason: str | None, out: Path) -> None:
    if out.exists():
        raise UsageError(f"{out} exists already", hint="give another name, or remove it first")
    held = find_held(system.event_store(project), run_id, dataset, _folder(system, project))
    store = system.held()
    rows = store.export(held.path, reason, store.columns(held.path), out)
    say(f"wrote {number(rows)} rows to {out}")
    say(
        f"mend them, keep the column `held_id`, then: headrace quarantine replay --run {held.run_id} --dataset {held.dataset} --from {out}"
    )


def replay_held(
    system: System,
    file: Path,
    param: Sequence[str] | None,
    run_id: str,
    dataset: str | None,
    mended: Path | None,
    *,
    as_json: bool,
) -> None:
    given = parameters(param)
    loaded = system.load(definition_file(file), given)
    if mended is not None and not mended.exists():
        raise UsageError(f"there is no file {mended}")
    held = find_held(system.event_store(loaded.project), run_id, dataset, _folder(system, loaded.project))
    if not held.open_rows:
        say("nothing of it is open: every row went through already, or a later run read the source anew")
        return
    run = system.replay(loaded, held, mended, params=given)
    if as_json:
        say_json(run)
        return
    for line in summary(run):
        say(line)


def _folder(system: System, project: Path) -> Path:
    return system.state_folder(project) / "quarantine"
