"""What every run does first, done once: its import loads and plans a small pipeline in the server that processes are forked from.

The first time is the slow one: modules are loaded, records get their methods, patterns are compiled; a process that is forked behind
it finds that done. It has to be an import, because that is all that such a server does before it serves, and it is the one module here
whose import does something. Nothing is opened that processes must not share: no database, no engine, no thread.
"""

from __future__ import annotations

import atexit
import gc
import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from headrace.application.orchestrator.batch import Wish, assigned, request_for
from headrace.application.orchestrator.carrying import Prepared
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.increments import Work, checkpoint_name, outstanding
from headrace.application.orchestrator.lease import LeaseKeeper
from headrace.application.orchestrator.queue import Lease, keep
from headrace.application.orchestrator.readiness import Ready, from_note
from headrace.bootstrap import parts
from headrace.bus.chain import digest
from headrace.bus.events import PipelineStartedEvent
from headrace.bus.store import UNKNOWN
from headrace.business.model.types import String
from headrace.business.ports import Checkpoint, Fence, InputFile
from headrace.business.processing.plan import Resolved
from headrace.business.processing.planning import build_plan

_ROWS = "id,at,name,amount,more\n1,2024-01-01 00:00:00, a ,1.50,x\n"
_DEFINITION = """\
version: 1
pipeline: warming
sources:
  rows:
    file: {path: rows.csv}
    contract:
      columns:
        id: {type: int64, required: true, unique: true}
        at: {type: timestamp}
        name: {type: string, in: [a, b]}
        amount: {type: 'decimal(10, 2)', at_least: 0}
steps:
  - clean: {trim: [name]}
  - filter: amount >= 0
  - derive: {cents: cast(amount * 100 as int64)}
checks:
  - row_count: {min: 1}
sinks:
  - file: {path: published/}
"""


def warm(folder: Path) -> None:
    """Go the way of a run up to its first event, without its databases."""
    (folder / "rows.csv").write_text(_ROWS)
    loaded = parts.load_kept(keep(_DEFINITION, "warming", folder, folder / "pipeline.yaml"), {})
    scan = loaded.definition.sources["rows"].plugin.scan(folder)  # type: ignore[attr-defined]  # a file can be scanned
    resolved = {"rows": Resolved(scan, {"more": String()}, "rows.csv", scan.notes)}
    plan = build_plan(loaded.definition, resolved)
    assigned(Prepared(loaded.definition, loaded.file, resolved, plan), Wish({}))
    site = parts.site(folder, home=folder)
    lease = Lease(request_for(site, loaded.definition, Wish({}), "run"), "worker", "issuer", 1, 1, 30.0)
    LeaseKeeper(site.queue, lease, lambda: None)
    (sink,) = plan.sinks
    read = {"rows": (InputFile("rows.csv", 1, 1),)}
    checkpoint = Checkpoint("name", "warming", "run", datetime.now(UTC), read, fence=Fence("issuer", 1))
    work = outstanding(plan, {sink.name: (checkpoint,)}, lambda file: file, folder)
    from_note(Ready(Work(work.files, {}, work.sinks), {}, {}).to_note(plan), plan)
    checkpoint_name(plan, sink, {}, {"rows": 1}, "run")
    started = PipelineStartedEvent("run", pipeline="warming", graph=describe(replace(plan, sinks=work.sinks)))
    digest("", "run", 1, started.written, checkpoint.at, json.loads(json.dumps(started.data(), default=str)), UNKNOWN)


with suppress(OSError), tempfile.TemporaryDirectory() as found:  # Where there is no room for it, runs begin a little later.
    warm(Path(found))
# What is there by now is there for good. Whoever looks through it for garbage would also make each process a copy of it.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)  # DuckDB wants its objects to be found when the server ends, and complains of others.
gc.set_threshold(300_000, 50, 100)
