"""The orchestrator for programs: a pipeline as plain data goes in, its result comes out, and a bus hears of everything on the way.

    bus = event_bus("shop")
    result = await PipelineOrchestrator(Config("shop"), bus).execute({"pipeline": "orders", "sources": {...}, "sinks": [...]})

Not another way to run: what it does is what the command line does, in a thread, under a lease, in the same log.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from headrace.application.orchestrator.batch import Wish, run_all
from headrace.application.orchestrator.carrying import Prepared
from headrace.application.orchestrator.queue import KeptDefinition
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.orchestrator.sources import Attempted
from headrace.application.queries.runs import RunView
from headrace.bus.bus import EventBus
from headrace.business.model.definition import Loaded
from headrace.errors import HeadraceError
from headrace.records import record

#: A definition as plain data, as it would stand in YAML; or the file that holds it.
PipelineConfig = Mapping[str, Any] | Path | str


@record
class ExecutionResult:
    """What became of a run. Rows are counted over all its sources and sinks; `checks` are the outcomes of the audit by name."""

    pipeline_id: str
    pipeline: str
    state: str
    rows_read: int
    rows_written: int
    rows_quarantined: int
    seconds: float
    unchanged: bool
    checks: Mapping[str, str]
    targets: Mapping[str, str]

    @classmethod
    def of(cls, run: RunView) -> ExecutionResult:
        return cls(
            run.id,
            run.pipeline,
            run.state,
            run.read,
            run.written,
            run.quarantined,
            run.seconds or 0.0,
            run.unchanged,
            {check["check"]: check["outcome"] for check in run.checks},
            {name: sink["target"] for name, sink in run.sinks.items()},
        )


class Components(Protocol):
    """The parts that an orchestrator is made of, as its configuration composes them."""

    def site(self, bus: EventBus) -> Site: ...

    def load(self, pipeline: PipelineConfig, params: Mapping[str, Any]) -> Loaded: ...

    def prepare(self, loaded: Loaded, site: Site, attempted: Attempted) -> Prepared: ...

    def kept(self, loaded: Loaded) -> KeptDefinition: ...


class Configuration(Protocol):
    """Where pipelines run and what they may use."""

    def components(self) -> Components: ...


class PipelineOrchestrator:
    """Coordinates the execution of pipelines: their steps, retries, recovery and events."""

    def __init__(self, config: Configuration, event_bus: EventBus) -> None:
        self.config = config
        self.event_bus = event_bus
        self.components = config.components()

    async def execute(self, pipeline_config: PipelineConfig, params: Mapping[str, Any] | None = None) -> ExecutionResult:
        """Run a pipeline to its end. Raises what ended it; the log has it either way.

        A run of the same pipeline that goes on elsewhere is waited for. When the caller is cancelled, so is the run.
        """
        run_id, site = new_run_id(), self.components.site(self.event_bus)
        ended = threading.Event()
        work = asyncio.create_task(asyncio.to_thread(self._execute, site, run_id, pipeline_config, dict(params or {}), ended))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.to_thread(_cancel, site, run_id, ended)
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _execute(
        self, site: Site, run_id: str, pipeline: PipelineConfig, params: dict[str, Any], ended: threading.Event
    ) -> ExecutionResult:
        try:
            loaded = self.components.load(pipeline, params)
            wish = Wish({**params, **loaded.params}, self.components.kept(loaded))
            planned = partial(self.components.prepare, loaded, site)
            return ExecutionResult.of(run_all(site, loaded.definition, planned, wish, run_id))
        except KeyboardInterrupt as stopped:
            raise Cancelled(f"run {run_id} was cancelled") from stopped
        finally:
            ended.set()


class Cancelled(HeadraceError):
    """A run was cancelled while somebody waited for its result; nothing half-done is visible anywhere."""


def _cancel(site: Site, run_id: str, ended: threading.Event) -> None:
    """Ask until the run is known to be asked, or over: it may not have been accepted yet."""
    while not ended.is_set() and not site.queue.cancel(run_id, "its caller"):
        ended.wait(0.05)
