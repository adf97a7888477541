"""Notifications on a state database with a clock that tests move, in this process and, as a program, in one that may be killed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.notifying import Notifications, Notifier
from headrace.business.model.definition import Definition, Loaded
from headrace.infrastructure.notifying.webhook import WebhookNotifier
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.notification_records import DatabaseNotificationRecords
from headrace.infrastructure.storage.postgres_database import PostgresDatabase
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase
from headrace.resilience.backoff import RetryPolicy

#: Tries again at once, three times in all.
AT_ONCE = RetryPolicy(attempts=3, base_delay=0.0, max_delay=0.0, budget_seconds=3600.0)
BEGIN = datetime(2024, 3, 1, 5, 0, tzinfo=UTC)


class Clock:
    """Shows what a test wants."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)


def definition(*notify: Mapping[str, Any], **options: Any) -> Loaded:
    named = [{"name": f"n{i}", **one} for i, one in enumerate(notify)]
    return Loaded(definition=Definition(pipeline="orders", sources={}, notify=named, **options))


def notifications(
    database: Database, *in_service: Loaded, clock: Clock | None = None, notifier: Notifier | None = None
) -> Notifications:
    ways = {"webhook": notifier or WebhookNotifier(seconds=5.0)}
    found = {loaded.definition.pipeline: loaded for loaded in in_service}
    records = DatabaseNotificationRecords(database)
    return Notifications(EventLog(database), records, ways, lambda: found, clock or Clock(), AT_ONCE)


def address(database: Database) -> list[str]:
    """How another process finds the same database."""
    if isinstance(database, SqliteDatabase):
        return ["sqlite", str(database.path)]
    assert isinstance(database, PostgresDatabase)
    return ["postgres", database._url()]


def main(kind: str, place: str, url: str) -> None:
    database = SqliteDatabase(Path(place)) if kind == "sqlite" else PostgresDatabase(lambda: place, "postgres")
    notifications(database, definition({"on": ["failed", "recovered"], "webhook": url})).turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
