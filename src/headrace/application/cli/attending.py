"""`headrace workers`: who is there to carry runs out, and what each is at. Nothing is started or stopped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from headrace.application.cli.console import paint, say, say_json, table
from headrace.application.cli.system import System


def list_workers(system: System, project: Path, *, as_json: bool) -> None:
    site = system.site(project)
    at: dict[str, list[str]] = {}
    for run in site.queue.outstanding():
        if run.worker:
            at.setdefault(run.worker, []).append(run.run_id)
    known = site.workers.all()
    if as_json:
        say_json([{**asdict(worker), "runs": at.get(worker.worker, [])} for worker in known])
        return
    if not known:
        say("no workers; `headrace worker` or `headrace serve` starts one")
        return
    rows = [
        (w.worker, w.role, "alive" if w.alive else "gone", w.heard_at[:19].replace("T", " "), ", ".join(at.get(w.worker, [])))
        for w in known
    ]
    for line in table(("worker", "role", "", "heard of (UTC)", "carries out"), rows):
        say(line)
    lost = sum(1 for worker in known if not worker.alive)
    if lost:
        say(paint(f"\n{lost} gone: their runs are taken over or closed within the time of a lease", "dim"))
