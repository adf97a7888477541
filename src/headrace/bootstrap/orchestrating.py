"""Composes what programs orchestrate with: the configuration of an orchestrator, and the bus of a project. Nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap import parts
from headrace.bus.bus import EventBus
from headrace.records import record

if TYPE_CHECKING:
    from headrace.application.orchestrator.carrying import Prepared
    from headrace.application.orchestrator.pipeline_orchestrator import PipelineConfig
    from headrace.application.orchestrator.queue import KeptDefinition
    from headrace.application.orchestrator.site import Site
    from headrace.application.orchestrator.sources import Attempted
    from headrace.business.model.definition import Loaded


@record
class Config:
    """Where pipelines run: the folder from which their paths are meant. What they may use stands in its `headrace.toml`."""

    project: str | Path = "."

    def components(self) -> ProjectComponents:
        return ProjectComponents(Path(self.project))


@record
class ProjectComponents:
    """The parts of an orchestrator of one project."""

    project: Path

    def site(self, bus: EventBus) -> Site:
        from headrace.bootstrap.gathering import recruits_of

        return parts.site(self.project, bus=bus, recruit=recruits_of(self.project))

    def load(self, pipeline: PipelineConfig, params: Mapping[str, Any]) -> Loaded:
        if isinstance(pipeline, Mapping):
            return parts.build(pipeline, {}, self.project, params)
        return parts.load(Path(pipeline), {name: str(value) for name, value in params.items()})

    def prepare(self, loaded: Loaded, site: Site, attempted: Attempted) -> Prepared:
        return parts.prepare(loaded, site, attempted)

    def kept(self, loaded: Loaded) -> KeptDefinition:
        return parts.kept(loaded)


def event_bus(project: str | Path = ".") -> EventBus:
    """The bus of a project: what is published there is stored in its log, and heard by those who subscribed in this process."""
    return EventBus(parts.event_store(Path(project)))
