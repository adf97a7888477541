"""What the publications of a run stand for: names made of plan, parameters and the state of the sources, under which targets know them."""

from __future__ import annotations

from typing import Any

from headrace.application.orchestrator.increments import checkpoint_name, identity
from headrace.application.orchestrator.order import Order, Surroundings
from headrace.application.orchestrator.readiness import Ready
from headrace.business.processing.plan import PlannedSink


class Names:
    """The names of one run, each found once: whoever goes on with the run must not take newer files for those that were read.

    `cursors` is how far each source was read, as soon as that is known.
    """

    def __init__(self, order: Order, around: Surroundings) -> None:
        self.order, self.around = order, around
        self.cursors: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._states: dict[tuple[str, bool], Any] = {}

    def adopt(self, ready: Ready) -> None:
        """Those of the one who went before."""
        self._names, self.cursors = dict(ready.names), dict(ready.cursors)

    def of(self, sink: PlannedSink) -> str:
        if sink.name not in self._names:
            self._names[sink.name] = self._found(sink)
        return self._names[sink.name]

    def _found(self, sink: PlannedSink) -> str:
        order = self.order
        inputs = {**(order.identity or {}), **self.states(sink)}
        for source in order.plan.sources:
            if source.resumes and not order.identity:
                inputs[source.name] = [order.work.cursors.get(source.name), self.cursors.get(source.name)]
        name = checkpoint_name(order.plan, sink, order.params, inputs, order.run_id)
        return name[:16] + order.run_id.replace("-", "")[-16:] if order.force else name

    def states(self, sink: PlannedSink) -> dict[str, Any]:
        """What tells the states of the sources that are read from others. It is found out once, before the reading, which fails when
        the files have changed by then: what comes into them later must not pass for what was read."""
        content = getattr(sink.publisher, "mode", "replace") == "append"
        for source in () if self.order.identity else self.order.plan.sources:
            key = (source.name, content)
            if key not in self._states and not source.resumes:
                self._states[key] = identity(source, self.around.hash_file, self.order.project, content=content)
        return {name: state for (name, by_content), state in self._states.items() if by_content == content}
