"""Composes the processes that serve: workers, and the duties beside them. It decides nothing about runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap import parts
from headrace.bootstrap.gathering import load_definition, recruits
from headrace.bootstrap.log import deliveries, prune, run_logs
from headrace.bootstrap.processes import processes
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from headrace.application.orchestrator.crew import Crew
    from headrace.application.orchestrator.in_service import DefinitionsFolder
    from headrace.application.orchestrator.notifying import Notifications
    from headrace.application.orchestrator.queue import KeptDefinition, Lease
    from headrace.application.orchestrator.serving import Duties
    from headrace.application.orchestrator.sources import Attempted
    from headrace.application.orchestrator.worker import Claims, Register, WorkerLoop
    from headrace.business.model.definition import Definition, Loaded
    from headrace.infrastructure.storage.database import Database

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """A worker, with the duties beside it where this process serves."""

    home: Path
    loop: WorkerLoop
    duties: Duties | None = None


def worker(project: Path, parallel: int, told: Told) -> Serving:
    """A worker of a project's state database."""
    home = parts.state_home(project).resolve()
    return Serving(home, _loop(home, parallel, "worker", told))


def crew(project: Path, parallel: int) -> Crew:
    """A worker of a command's own, for the runs that it is given."""
    from headrace.application.orchestrator.crew import Crew, OwnRuns, Unheard
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

    home = parts.state_home(project).resolve()
    database = parts.database(home, patient=True)
    runs = OwnRuns(DatabaseRunQueue(database))
    return Crew(runs, _composed(home, database, runs, Unheard(), parallel, "command", lambda _line: None))


def serve(project: Path, parallel: int, told: Told) -> Serving:
    """Everything in one process: a worker, the scheduler, the folder of definitions."""
    from headrace.application.orchestrator.scheduler import Scheduler
    from headrace.application.orchestrator.serving import Duties, Duty
    from headrace.application.orchestrator.streams_in_service import StreamsInService
    from headrace.infrastructure.storage.event_log import EventLog
    from headrace.infrastructure.storage.leadership import DatabaseLeadership
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
    from headrace.infrastructure.storage.service_records import DatabaseServiceRecords

    home = parts.state_home(project).resolve()
    loop = _loop(home, parallel, "serve", told)
    # Duties have a connection of their own, so that none of them holds up the worker's.
    database = parts.database(home, patient=True)
    records = DatabaseServiceRecords(database)
    folder = definitions_folder(home, told)
    scheduler = Scheduler(
        DatabaseRunQueue(database),
        EventLog(database),
        records,
        folder.definitions,
        folder.kept,
        lambda: datetime.now(UTC),
        told,
    )
    streams = StreamsInService(DatabaseRunQueue(database), folder.definitions, folder.kept, told)
    leadership = DatabaseLeadership(parts.database(home, patient=True), seconds=loop.worker.lease_seconds / 2)
    duties = [
        *(Duty(delivery.subscription.name, 0.2, delivery.catch_up) for delivery in deliveries(home)),
        Duty("retention", 3600.0, lambda: prune(home), leading=True),
        Duty("definitions", 1.0, folder.turn, leading=True),
        Duty("scheduler", 0.5, scheduler.turn, leading=True),
        Duty("streams", 1.0, streams.turn, leading=True),
        Duty("notifications", 1.0, notifications(home, folder.definitions).turn, leading=True),
    ]
    return Serving(home, loop, Duties(duties, leadership, loop.worker, told))


def definitions_folder(project: Path, told: Told) -> DefinitionsFolder:
    """The folder of definitions that is in service."""
    from headrace.application.orchestrator.in_service import DefinitionsFolder
    from headrace.application.orchestrator.queue import keep
    from headrace.infrastructure.storage.service_records import DatabaseServiceRecords

    def kept(file: Path, text: str, definition: Definition | None) -> KeptDefinition:
        return keep(text, definition.pipeline if definition else "", file.parent, file)

    folder = (parts.state_home(project) / parts.settings(project).definitions).resolve()
    return DefinitionsFolder(folder, DatabaseServiceRecords(parts.database(project, patient=True)), _look_at, kept, told)


def notifications(project: Path, definitions: Callable[[], Mapping[str, Loaded]]) -> Notifications:
    """Tells people of the troubles of the pipelines in service, as their definitions say: `turn` is to be called again and again."""
    from headrace.application.orchestrator.notifying import Notifications, Notifier
    from headrace.infrastructure.notifying.command import CommandNotifier
    from headrace.infrastructure.notifying.email import EmailNotifier
    from headrace.infrastructure.notifying.webhook import WebhookNotifier
    from headrace.infrastructure.storage.event_log import EventLog
    from headrace.infrastructure.storage.notification_records import DatabaseNotificationRecords

    home = parts.state_home(project).resolve()
    # A connection of its own: nobody else waits for it, and it waits for nobody.
    database = parts.database(home, patient=True)
    ways: Mapping[str, Notifier] = {
        "webhook": WebhookNotifier(),
        "email": EmailNotifier(),
        "command": CommandNotifier(parts.state_folder(home) / "logs" / "notifications"),
    }
    records = DatabaseNotificationRecords(database)
    return Notifications(EventLog(database), records, ways, definitions, lambda: datetime.now(UTC))


def carry_out_claimed(home: Path, lease: Lease) -> None:
    """Carry out a run that a worker has claimed. The log has how it ended; this returns in any case but an interruption."""
    from headrace.application.orchestrator.batch import assigned, wish_of
    from headrace.application.orchestrator.carrying import Assignment, Prepared, carry_out
    from headrace.application.orchestrator.interruptions import Interruptions

    request = lease.request
    site = replace(parts.site(Path(request.project), home=home, patient=True), postpones=True)
    site.engine("duckdb").prepare()

    def prepare(attempted: Attempted) -> tuple[Prepared, Assignment]:
        loaded = load_definition(request.definition, request.params)
        wish = replace(wish_of(request), params={**request.params, **loaded.params})
        return assigned(parts.prepare(loaded, site, attempted), wish)

    try:
        with Interruptions(hands_over=True) as interruptions:
            carry_out(site, lease, prepare, interruptions)
    except HeadraceError as error:
        sys.stderr.write(f"{error}\n")  # Into the log of the run's process, for those who look there.


def _loop(home: Path, parallel: int, role: str, told: Told) -> WorkerLoop:
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
    from headrace.infrastructure.storage.worker_registry import DatabaseWorkers

    database = parts.database(home, patient=True)
    return _composed(home, database, DatabaseRunQueue(database), DatabaseWorkers(database), parallel, role, told)


def _composed(
    home: Path, database: Database, claims: Claims, register: Register, parallel: int, role: str, told: Told
) -> WorkerLoop:
    from headrace.application.orchestrator.worker import WorkerLoop

    children, logs = processes(database), run_logs(home, database)
    return WorkerLoop(
        parts.this_worker(home),
        claims,
        register,
        lambda lease: children.start(carry_out_claimed, home, lease, log=logs.path(lease.run_id)),
        parallel,
        role,
        told,
        children.prepare,
        lambda: logs.tidy(datetime.now(UTC)),
        children.ready,
        recruits(home, children, told),
    )


def _look_at(kept: KeptDefinition) -> Loaded:
    """A definition as far as it can be looked at without the values of its parameters."""
    return parts.load_kept(kept, {}, stand_ins=True)
