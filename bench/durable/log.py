"""The event log and a run's own records: appending by ones and in batches, replaying, and what a stage of a run puts on record."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from statistics import median
from typing import Any

import psycopg

from durable.places import Place
from headrace.application.orchestrator.queue import RunRequest, Worker
from headrace.bus.events import DataIngestedEvent, DataProcessedEvent, DataValidatedEvent
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.processes import this_host, this_process
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

SINGLE, BATCHES, BATCH = 1_000, 20, 1_000


def fact(run_id: str, nth: int) -> DataProcessedEvent:
    return DataProcessedEvent(run_id, f"step_{nth}", "filter", {"orders": 1_000 + nth}, 990 + nth, 10)


def bare_commits(place: Place) -> float:
    """Rows a second, each inserted and committed by a driver without anything of ours."""
    if place.url:
        db: Any = psycopg.connect(place.url, autocommit=True)
    else:
        db = sqlite3.connect(place.folder / "bare.db", isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
    with closing(db):
        db.execute("create table bare (text text)")
        begun = time.perf_counter()
        for _ in range(SINGLE):
            db.execute("insert into bare values ('a row of some length, but not of great length')")
        return SINGLE / (time.perf_counter() - begun)


def question(place: Place) -> float:
    """Seconds for a question that reads nothing."""
    times = []
    with place.open().reading() as db:
        for _ in range(500):
            begun = time.perf_counter()
            db.rows("select 1")
            times.append(time.perf_counter() - begun)
    return median(times)


def single_appends(place: Place) -> float:
    """Events a second, each committed by itself."""
    log = EventLog(place.open())
    log.append("warm", [fact("warm", 0)])
    begun = time.perf_counter()
    for nth in range(SINGLE):
        log.append(f"run-{nth % 10}", [fact(f"run-{nth % 10}", nth)])
    return SINGLE / (time.perf_counter() - begun)


def batched_appends(place: Place) -> tuple[float, float]:
    """Events a second in batches, and events a second when they are read again from the first."""
    log = EventLog(place.open())
    log.append("warm", [fact("warm", 0)])
    batches = [[fact(f"run-{b}", nth) for nth in range(BATCH)] for b in range(BATCHES)]
    begun = time.perf_counter()
    for nth, batch in enumerate(batches):
        log.append(f"run-{nth}", batch)
    written = BATCH * BATCHES / (time.perf_counter() - begun)
    begun = time.perf_counter()
    found = sum(1 for _ in log.read())
    read = found / (time.perf_counter() - begun)
    if found != BATCH * BATCHES + 1 or log.verify().fault:
        raise SystemExit(f"{found} events were read of {BATCH * BATCHES + 1}: {log.verify().fault}")
    return written, read


def stage_of_a_run(place: Place) -> float:
    """Seconds for what a stage puts on record: the lease is looked at and renewed, and two events are appended, in one commit."""
    queue = DatabaseRunQueue(place.open())
    lease = queue.start(RunRequest("run-1", "orders", str(place.folder)), Worker(this_process(), this_host()))
    if lease is None:
        raise SystemExit("the run could not be claimed")
    times = []
    for nth in range(300):
        told = [DataIngestedEvent("run-1", f"s{nth}", "file", 100), DataValidatedEvent("run-1", f"s{nth}", 100, 99, 1)]
        begun = time.perf_counter()
        queue.append(lease, told)
        times.append(time.perf_counter() - begun)
    return median(times)
