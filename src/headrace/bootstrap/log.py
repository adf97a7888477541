"""What can be done with a project's log beside running pipelines: subscriptions, outbox, export, retention. It composes, no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap import parts
from headrace.errors import UsageError

if TYPE_CHECKING:
    from headrace.bus.subscriptions import Subscription
    from headrace.infrastructure.run_logs import RunLogs
    from headrace.infrastructure.storage.database import Database
    from headrace.infrastructure.storage.delivering import Delivery
    from headrace.infrastructure.storage.read_side import DatabaseReadSide
    from headrace.infrastructure.storage.retention import Pruned
    from headrace.infrastructure.storage.subscription_store import SubscriptionStore


def read_side(project: Path) -> DatabaseReadSide:
    """The tables that questions are answered from."""
    from headrace.infrastructure.storage.read_side import DatabaseReadSide

    return DatabaseReadSide(parts.database(project))


def subscriptions(project: Path) -> SubscriptionStore:
    """How the durable subscriptions stand, and their dead letters."""
    from headrace.infrastructure.storage.subscription_store import SubscriptionStore

    return SubscriptionStore(parts.database(project))


def outbox(project: Path) -> Sequence[Subscription]:
    """The subscriptions of the outlets that the settings name. Raises `UsageError`, or `DefinitionError` for wrong settings."""
    from headrace.infrastructure.outbox.outlets import subscriptions as of_outlets
    from headrace.infrastructure.storage.event_log import EventLog
    from headrace.security.secrets import Vault

    home = parts.state_home(project)
    log = EventLog(parts.database(home, patient=True))
    return list(of_outlets(parts.settings(home).outbox, Vault.of(home), lambda: log.source))


def deliveries(project: Path) -> Sequence[Delivery]:
    """What a process that serves delivers: call `run(stop)` of each in a thread of its own. None holds up another."""
    from headrace.infrastructure.storage.delivering import Delivery
    from headrace.infrastructure.storage.read_side import READ_SIDE

    return [Delivery(parts.database(project, patient=True), subscription) for subscription in (READ_SIDE, *outbox(project))]


def replay_subscription(project: Path, name: str, after: int = 0) -> None:
    """Have the events behind a position delivered again; the read side is built anew. Raises `UsageError`."""
    from headrace.business.model.schema import did_you_mean
    from headrace.infrastructure.storage.read_side import READ_SIDE

    known = {subscription.name: subscription for subscription in (READ_SIDE, *outbox(project))}
    if name not in known:
        raise UsageError(f"there is no subscription `{name}` to replay", hint=did_you_mean(name, known))
    subscriptions(project).replay(known[name], after)


def cloud_events(project: Path, after: int = 0, types: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
    """The events of a project behind a position as CloudEvents, for export."""
    from headrace.bus.cloudevents import to_cloudevent
    from headrace.infrastructure.storage.event_log import EventLog

    log = EventLog(parts.database(project))
    if log.database.exists():
        source = log.source
        for event in log.read(after=after, types=types):
            yield to_cloudevent(event, source)


def prune(project: Path, now: datetime | None = None) -> Pruned:
    """Remove the events that are older than the settings keep them, and what belongs to them."""
    from headrace.infrastructure.storage.retention import prune as prune_log

    now, database = now or datetime.now(UTC), parts.database(project, patient=True)
    pruned = prune_log(database, parts.settings(project).keep_days, now)
    run_logs(project, database).tidy(now)
    return pruned


def run_logs(project: Path, database: Database) -> RunLogs:
    """What the processes of runs print on this machine."""
    from headrace.infrastructure.run_logs import RunLogs
    from headrace.infrastructure.storage.retention import forgotten

    return RunLogs(parts.state_folder(project) / "logs", parts.settings(project).keep_days, partial(forgotten, database))
