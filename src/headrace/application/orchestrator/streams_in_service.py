"""Keeps the streams going whose definitions are in service: each version is begun once, and the version before it is stopped for it.

A stream that somebody has stopped, or that has failed, stays so until its definition changes or somebody runs it. Not how one is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.application.orchestrator.queue import KeptDefinition, Outstanding, RunQueue
from headrace.application.orchestrator.scheduler import request_for
from headrace.bus.store import Origin
from headrace.business.model.definition import Definition, Loaded
from headrace.business.streams.messages import MessageSource

#: Who asks for such runs, as their trigger.
SERVICE = "service"


@dataclass
class StreamsInService:
    """See the module. To be called by the leader only, though more would do no harm."""

    queue: RunQueue
    definitions: Callable[[], Mapping[str, Loaded]]
    kept: Callable[[str], KeptDefinition | None]
    told: Callable[[str], None] = lambda _line: None
    _refused: set[str] = field(default_factory=set)

    def turn(self) -> None:
        """One look at all of them."""
        running = {run.pipeline: run for run in self.queue.outstanding()}
        found = {name: loaded for name, loaded in self.definitions().items() if is_endless(loaded.definition)}
        for name, loaded in found.items():
            kept = self.kept(name)
            if kept is None or self._wants_parameters(kept, loaded.definition):
                continue
            if name in running:
                self._replace(running[name], kept)
            else:
                self._begin(loaded, kept)
        for name, run in running.items():
            if name not in found and self._is_ours(run):
                self._stop(run, f"`{name}` is out of service")

    def _begin(self, loaded: Loaded, kept: KeptDefinition) -> None:
        definition = loaded.definition
        key, origin = f"stream:{definition.pipeline}:{kept.fingerprint}", Origin(actor=f"{SERVICE} {definition.pipeline}")
        params: Mapping[str, Any] = {}
        request = request_for(definition, loaded.project, kept, params, SERVICE, key, origin)
        if self.queue.submit(request) == request.run_id:
            self.told(f"run {request.run_id} of {definition.pipeline}: a stream in service")

    def _replace(self, run: Outstanding, kept: KeptDefinition) -> None:
        """A version of before is stopped; the new one goes on where it was as soon as it has ended."""
        request = self.queue.request(run.run_id)
        if request is None or request.trigger != SERVICE or request.definition is None:
            return
        if request.definition.fingerprint != kept.fingerprint:
            self._stop(run, f"`{run.pipeline}` has a new version, {kept.fingerprint}")

    def _is_ours(self, run: Outstanding) -> bool:
        request = self.queue.request(run.run_id)
        return request is not None and request.trigger == SERVICE

    def _stop(self, run: Outstanding, why: str) -> None:
        if run.state != "cancelling":
            self.told(f"run {run.run_id} is stopped: {why}")
            self.queue.cancel(run.run_id, SERVICE)

    def _wants_parameters(self, kept: KeptDefinition, definition: Definition) -> bool:
        wanted = [name for name, parameter in definition.params.items() if parameter.required]
        if wanted and kept.fingerprint not in self._refused:
            self._refused.add(kept.fingerprint)
            names = ", ".join(f"`{name}`" for name in wanted)
            self.told(
                f"the stream `{definition.pipeline}` is not begun: it wants {names}; give a default, or run it with --param"
            )
        return bool(wanted)


def is_endless(definition: Definition) -> bool:
    """Whether a pipeline reads from a source that has no end."""
    return any(isinstance(source.plugin, MessageSource) for source in definition.sources.values())
