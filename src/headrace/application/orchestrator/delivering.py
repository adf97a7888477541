"""Lets a target take rows in while they are being staged, where a run has much to gain by it. They count when all is audited, as ever.

What is staged stays what a run is published from: a delivery that comes to nothing leaves the target as it was, and costs time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from headrace.application.orchestrator.order import Order, Surroundings
from headrace.bus.lifecycle import PipelineRetriedEvent
from headrace.business.delivery import Delivers, Delivery
from headrace.business.engine import HandsOn, Ingested, Progress, Session
from headrace.business.inside import StagedTable
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.business.processing.plan import PlannedSink
from headrace.errors import RunError

#: Below this, staging takes no time that a user would notice.
WORTH_IT = 100_000


class Delivering:
    """The delivery of a run to its one sink. Two at once could wait for each other in one database."""

    def __init__(self, order: Order, around: Surroundings) -> None:
        self.order, self.around = order, around
        self._delivery: Delivery | None = None
        self._sink: PlannedSink | None = None

    def begin(self, session: Session, ingested: Iterable[Ingested], checkpoint: Callable[[PlannedSink], Checkpoint]) -> None:
        """Only for a first attempt: whoever goes on with a run has to ask first what became of it."""
        sinks = self.order.work.sinks
        enough = sum(found.good for found in ingested) >= WORTH_IT
        if len(sinks) != 1 or not enough or self.order.since is not None or not isinstance(session, HandsOn):
            return
        (sink,) = sinks
        if isinstance(sink.publisher, Delivers):
            self.around.before_publishing(sink)
            schema = self.order.plan.schema(sink.dataset)
            self._sink, self._delivery = sink, sink.publisher.deliver(self.order.project, schema, checkpoint(sink))

    def stage(self, session: Session, dataset: str, folder: Path, progress: Progress) -> Staged | StagedTable:
        """Bring a dataset to rest, and what is to be delivered on its way at once."""
        delivery = self._delivery
        if delivery is None or self._sink is None or self._sink.dataset != dataset or not isinstance(session, HandsOn):
            return session.stage(dataset, folder, progress)
        with ExitStack() as undone:
            undone.callback(self.close)
            staged = session.stage_handing_on(dataset, folder, progress, delivery.take)
            undone.pop_all()
        delivery.complete(staged)
        return staged

    def publish(self) -> Publication | None:
        """Make what was delivered count; None where nothing was, or could not be."""
        delivery, self._delivery = self._delivery, None
        if delivery is None or self._sink is None:
            return None
        try:
            return delivery.publish()
        except RunError as error:
            what, kind = f"publishing {self._sink.name} while staging", type(error).__name__
            self.around.tell(PipelineRetriedEvent(self.order.run_id, what, 1, 0.0, kind, error.message))
            return None
        finally:
            delivery.close()

    def close(self) -> None:
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.close()
