"""Three processes that claim runs of one database and end each at once; the log tells how fast, and whether any run was claimed twice."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass

from durable.places import Place
from headrace.application.orchestrator.queue import RunRequest, Worker
from headrace.bus.events import PipelineCompletedEvent
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.processes import this_host, this_process
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

WORKERS, PIPELINES, EACH = 3, 30, 40


@dataclass(frozen=True)
class Claimed:
    """Runs a second from the first claim to the last end, and how many were claimed or ended twice."""

    per_second: float
    twice: int


def claim_all(place: Place) -> Claimed:
    queue = DatabaseRunQueue(place.open())
    runs = [(f"run-{nth}-{name}", f"pipeline-{name}") for nth in range(EACH) for name in range(PIPELINES)]
    for run_id, pipeline in runs:
        queue.submit(RunRequest(run_id, pipeline, str(place.folder)))
    method = multiprocessing.get_context("spawn")
    ready = method.Barrier(WORKERS)
    workers = [method.Process(target=_work, args=(place, ready)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise SystemExit(f"a worker ended with {worker.exitcode}")
    return _found(place, len(runs))


def _work(place: Place, ready: multiprocessing.Barrier) -> None:  # type: ignore[valid-type]
    queue, worker = DatabaseRunQueue(place.open()), Worker(this_process(), this_host())
    left = queue.outstanding()
    ready.wait()
    while left:
        lease = queue.claim(worker) if queue.has_ready(worker) else None
        if lease is not None:
            queue.append(lease, [PipelineCompletedEvent(lease.run_id, pipeline=lease.request.pipeline)])
        else:
            time.sleep(0.005)
            left = queue.outstanding()


def _found(place: Place, wanted: int) -> Claimed:
    claims, ends = Counter[str](), Counter[str]()
    begun = ended = None
    for event in EventLog(place.open()).read(types=("pipeline.claimed/1", "pipeline.completed/1")):
        begun, ended = begun or event.at, event.at
        (claims if event.kind == "pipeline.claimed" else ends)[event.stream] += 1
    if len(ends) != wanted or begun is None or ended is None:
        raise SystemExit(f"{len(ends)} runs ended of {wanted}")
    twice = sum(count > 1 for counts in (claims, ends) for count in counts.values())
    return Claimed(wanted / (ended - begun).total_seconds(), twice)
