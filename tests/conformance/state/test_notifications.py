"""Each trouble is told once when it begins and once when it is over, on every database, whoever dies in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.state.conftest import Opens
from tests.conformance.state.telling import Clock, address, definition, notifications
from tests.integration.notifying.servers import Hook, hook

from headrace.application.orchestrator.message import Message
from headrace.application.orchestrator.queue import RunRequest, Worker
from headrace.bus.events import (
    DataIngestedEvent,
    DataValidatedEvent,
    Event,
    PipelineCancelledEvent,
    PipelineCompletedEvent,
    PipelineFailedEvent,
    PipelineStartedEvent,
    QualityCheckEvent,
)
from headrace.bus.store import Envelope
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Notification
from headrace.business.scheduling.schedule import Tick
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.processes import this_host, this_process
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.security.secrets import Secret, Vault

ROOT = Path(__file__).parents[3]
CANARY = "c4n4ry-s3cr3t"
GOOD, BAD = "succeeded", "failed"


@pytest.fixture
def told() -> Iterator[Hook]:
    """Whoever is told."""
    with hook() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(database: Database, run_id: str, end: str = GOOD, *inside: Event, key: str | None = None, **failure: Any) -> None:
    """A run of `orders`, from its request to its end."""
    queue, worker = DatabaseRunQueue(database), Worker(this_process(), this_host())
    lease = queue.start(RunRequest(run_id, "orders", "/project", key=key), worker)
    assert lease is not None
    ends: dict[str, Event] = {
        GOOD: PipelineCompletedEvent(run_id, pipeline="orders"),
        BAD: PipelineFailedEvent(
            run_id, failure.get("message", "no"), pipeline="orders", error=failure.get("error", "TimedOut")
        ),
        "cancelled": PipelineCancelledEvent(run_id, pipeline="orders"),
    }
    queue.append(lease, [PipelineStartedEvent(run_id, pipeline="orders"), *inside, ends[end]])


def sent(database: Database) -> list[Envelope]:
    return list(EventLog(database).read(types=["notification.sent/1"]))


def occasions(told: Hook) -> list[str]:
    return [body["occasion"] for body in told.bodies]


def test_a_trouble_over_five_runs_is_told_once_and_so_is_its_end(database: Database, told: Hook) -> None:
    telling = notifications(database, definition({"on": ["failed", "recovered"], "webhook": told.url}))
    telling.turn()
    for i, end in enumerate([GOOD, BAD, BAD, BAD, BAD, BAD, "cancelled", GOOD, GOOD]):
        run(database, f"r{i}", end)
        telling.turn()
        telling.turn()
    assert [(b["occasion"], b["change"], b["trouble"], b["run"]["id"]) for b in told.bodies] == [
        ("failed", "opened", "failed", "r1"),
        ("recovered", "closed", "failed", "r7"),
    ]
    assert [b["alert"] for b in told.bodies] == ["orders/n0/failed"] * 2
    assert len({b["id"] for b in told.bodies}) == 2
    assert told.bodies[0]["opened_at"] == told.bodies[1]["opened_at"]
    assert [(e.stream, e.data["change"], e.data["error"]) for e in sent(database)] == [
        ("r1", "opened", None),
        ("r7", "closed", None),
    ]


def test_runs_that_ended_while_nobody_looked_are_told_in_order_and_those_before_the_first_look_are_not(
    opens: Opens, told: Hook
) -> None:
    watched = definition({"on": ["failed", "recovered"], "webhook": told.url})
    run(opens(), "before", BAD)
    notifications(opens(), watched).turn()
    for i, end in enumerate([BAD, BAD, GOOD, BAD]):
        run(opens(), f"r{i}", end)
    later = notifications(opens(), watched)
    for _ in range(4):
        later.turn()
    assert [(b["occasion"], b["run"]["id"]) for b in told.bodies] == [("failed", "r0"), ("recovered", "r2"), ("failed", "r3")]


def test_each_notification_counts_for_itself(database: Database, told: Hook) -> None:
    with hook() as pager:
        chat = {"on": ["failed", "recovered"], "webhook": told.url, "recovered_after": 2}
        telling = notifications(database, definition(chat, {"on": "failed", "webhook": pager.url, "after": 3}))
        telling.turn()
        for i, end in enumerate([BAD, BAD, BAD, GOOD, GOOD]):
            run(database, f"r{i}", end)
            telling.turn()
    assert [(b["occasion"], b["run"]["id"]) for b in told.bodies] == [("failed", "r0"), ("recovered", "r4")]
    assert [(b["occasion"], b["run"]["id"]) for b in pager.bodies] == [("failed", "r2")]


def test_rows_held_back_are_told_from_the_threshold_on_with_their_reasons(database: Database, told: Hook) -> None:
    telling = notifications(
        database, definition({"on": ["quarantined", "recovered"], "webhook": told.url, "min_quarantined": 10})
    )
    telling.turn()
    for i, rows in enumerate([9, 10, 50, 9]):
        held = DataValidatedEvent(
            f"r{i}", dataset="orders", read=100, good=100 - rows, quarantined=rows,
            rules=[{"rule": "amount at_least 0", "rows": rows, "action": "quarantine"}],
            examples=[{"amount": CANARY}],
        )  # fmt: skip
        run(database, f"r{i}", GOOD, DataIngestedEvent(f"r{i}", dataset="orders", origin="orders.csv", read=100), held)
        telling.turn()
    assert [(b["occasion"], b["run"]["id"], b["run"]["rows"]["quarantined"]) for b in told.bodies] == [
        ("quarantined", "r1", 10),
        ("recovered", "r3", 9),
    ]
    assert told.bodies[0]["run"]["rules"] == {"orders: amount at_least 0": 10}
    assert CANARY not in str(told.bodies), "rows do not travel"


def test_each_check_is_a_trouble_of_its_own(database: Database, told: Hook) -> None:
    telling = notifications(database, definition({"on": ["check_failed", "recovered"], "webhook": told.url}))
    telling.turn()
    for i, (a, b) in enumerate([("pass", "fail"), ("error", "fail"), ("learning", "pass"), ("pass", "pass")]):
        checks = [
            QualityCheckEvent(f"r{i}", name, "max", "orders", outcome, "warn", CANARY, "1", "v1")
            for name, outcome in (("a", a), ("b", b))
        ]
        run(database, f"r{i}", GOOD, *checks)
        telling.turn()
        telling.turn()
    assert sorted((x["occasion"], x["check"], x["run"]["id"]) for x in told.bodies) == [
        ("check_failed", "a", "r1"),
        ("check_failed", "b", "r0"),
        ("recovered", "a", "r2"),
        ("recovered", "b", "r2"),
    ]
    assert CANARY not in str(told.bodies), "a measure may be a value of a row"


SCHEDULE = {"cron": "0 6 * * *", "expect_within": "30 minutes"}


def key(day: int) -> str:
    at = datetime(2024, 3, day, 6, tzinfo=UTC)
    return Tick(at, at.replace(tzinfo=None)).key("orders")


def test_a_tick_without_results_is_late_once_and_no_longer_when_it_has_them(
    database: Database, told: Hook, clock: Clock
) -> None:
    watched = definition({"on": ["late", "recovered"], "webhook": told.url}, schedule=SCHEDULE)
    telling = notifications(database, watched, clock=clock)
    telling.turn()
    clock.go_on(hours=1, minutes=29)
    telling.turn()
    assert told.bodies == []
    clock.go_on(minutes=2)
    for _ in range(3):
        telling.turn()
    assert occasions(told) == ["late"]
    assert told.bodies[0]["tick"] == {"at": "2024-03-01T06:00:00+00:00", "due_by": "2024-03-01T06:30:00+00:00"}
    assert told.bodies[0]["run"] is None
    run(database, "r1", BAD, key=key(1))
    telling.turn()
    assert occasions(told) == ["late"]
    run(database, "r2", GOOD, key=key(2))
    telling.turn()
    assert occasions(told) == ["late", "recovered"]
    clock.go_on(hours=24)
    telling.turn()
    assert occasions(told) == ["late", "recovered"], "the tick of the next day has its results"
    clock.go_on(hours=24)
    telling.turn()
    assert occasions(told) == ["late", "recovered", "late"]
    assert [e.stream for e in sent(database)] == [key(1), "r2", key(3)]


def test_what_is_late_is_told_in_the_stream_of_its_run_where_there_is_one(database: Database, told: Hook, clock: Clock) -> None:
    telling = notifications(database, definition({"on": "late", "webhook": told.url}, schedule=SCHEDULE), clock=clock)
    telling.turn()
    DatabaseRunQueue(database).submit(RunRequest("slow", "orders", "/project", key=key(1)))
    clock.go_on(hours=2)
    telling.turn()
    assert [e.stream for e in sent(database)] == ["slow"]


def test_a_pipeline_that_is_paused_does_not_become_late(database: Database, told: Hook, clock: Clock) -> None:
    telling = notifications(database, definition({"on": "late", "webhook": told.url}, schedule=SCHEDULE), clock=clock)
    telling.turn()
    database.write(lambda db: db.run("insert into paused (pipeline, by_, at) values ('orders', 'me', 'now')"))
    clock.go_on(hours=30)
    telling.turn()
    assert told.bodies == []
    database.write(lambda db: db.run("delete from paused"))
    telling.turn()
    assert occasions(told) == ["late"]


def test_another_schedule_counts_from_when_it_came(database: Database, told: Hook, clock: Clock) -> None:
    watch = {"on": "late", "webhook": told.url}
    notifications(database, definition(watch, schedule=SCHEDULE), clock=clock).turn()
    clock.go_on(minutes=59)
    telling = notifications(
        database, definition(watch, schedule={"every": "1 minute", "expect_within": "30 minutes"}), clock=clock
    )
    telling.turn()
    clock.go_on(minutes=30)
    telling.turn()
    assert told.bodies == []
    clock.go_on(minutes=2)
    telling.turn()
    assert occasions(told) == ["late"]


def test_who_is_no_longer_to_be_told_is_not_told(database: Database, told: Hook) -> None:
    watched = definition({"on": ["failed", "recovered"], "webhook": told.url})
    notifications(database, watched).turn()
    run(database, "r1", BAD)
    notifications(database, watched).turn()
    notifications(database, definition()).turn()
    run(database, "r2", GOOD)
    again = notifications(database, watched)
    again.turn()
    run(database, "r3", GOOD)
    again.turn()
    assert occasions(told) == ["failed"]


@pytest.mark.parametrize(("point", "times"), [("notification recorded", 1), ("notification sent", 2)])
def test_a_crash_between_recording_sending_and_marking_repeats_at_most_a_message(
    opens: Opens, told: Hook, point: str, times: int
) -> None:
    watched = definition({"on": ["failed", "recovered"], "webhook": told.url})
    notifications(opens(), watched).turn()
    run(opens(), "r1", BAD)
    died = subprocess.run(
        [sys.executable, "-m", "tests.conformance.state.telling", *address(opens()), told.url],
        cwd=ROOT, env={**os.environ, "HEADRACE_FAILPOINTS": point}, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    later = notifications(opens(), watched)
    for _ in range(3):
        later.turn()
    assert occasions(told) == ["failed"] * times
    assert len({body["id"] for body in told.bodies}) == 1, "whoever gets it twice can tell"
    run(opens(), "r2", GOOD)
    later.turn()
    assert occasions(told) == [*["failed"] * times, "recovered"]
    assert [e.data["change"] for e in sent(opens())] == ["opened", "closed"]


def test_several_that_look_at_the_same_time_tell_once(opens: Opens, told: Hook) -> None:
    watched = definition({"on": ["failed", "recovered"], "webhook": told.url})
    notifications(opens(), watched).turn()
    for i in range(6):
        run(opens(), f"r{i}", [BAD, GOOD][i % 2])
    several = [notifications(opens(), watched) for _ in range(3)]

    def look(telling: Any) -> None:
        """A look that finds another at the message whose turn it is has nothing to do, so none of them may stop before the end."""
        own, until = opens(), time.monotonic() + 60
        while len(sent(own)) < 6 and time.monotonic() < until:
            telling.turn()
        telling.turn()

    threads = [threading.Thread(target=look, args=(telling,)) for telling in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert occasions(told) == ["failed", "recovered"] * 3
    assert len(sent(opens())) == 6


def test_what_is_refused_is_tried_again_and_given_up_in_the_end(database: Database, told: Hook) -> None:
    told.answers = [(500, {}), (429, {"Retry-After": "0"}), (503, {}), (200, {})]
    telling = notifications(database, definition({"on": ["failed", "recovered"], "webhook": f"{told.url}/{CANARY}"}))
    telling.turn()
    run(database, "r1", BAD)
    run(database, "r2", GOOD)
    for _ in range(3):
        telling.turn()
    assert occasions(told) == ["failed"] * 3, "the end is not told before the beginning"
    assert len({body["id"] for body in told.bodies}) == 1
    telling.turn()
    assert occasions(told) == ["failed"] * 3 + ["recovered"]
    given_up, fine = sent(database)
    assert given_up.data["error"] == "the webhook *** answered 503; given up after 3 attempts"
    assert fine.data["error"] is None


def test_who_asks_for_time_gets_it(database: Database, told: Hook) -> None:
    told.answers = [(429, {"Retry-After": "600"}), (200, {})]
    telling = notifications(database, definition({"on": "failed", "webhook": told.url}))
    telling.turn()
    run(database, "r1", BAD)
    for _ in range(3):
        telling.turn()
    assert len(told.bodies) == 1
    clock, now = database.write(lambda db: db.lease_clock())
    ((named, not_before),) = database.write(lambda db: db.rows("select lease_clock, not_before from deliveries"))
    assert named == clock
    assert 500 < not_before - now <= 600


def test_a_way_that_breaks_unforeseen_loses_its_message_only_and_repeats_no_secret(database: Database, told: Hook) -> None:
    class Broken:
        def send(self, _loaded: Loaded, _notification: Notification, _message: Message) -> None:
            raise ZeroDivisionError(CANARY)

    watched = definition({"on": "failed", "webhook": told.url})
    notifications(database, watched).turn()
    run(database, "r1", BAD)
    notifications(database, watched, notifier=Broken()).turn()
    (event,) = sent(database)
    assert event.data["error"] == "ZeroDivisionError while telling by webhook"


def test_a_notification_that_is_gone_is_given_up(database: Database, told: Hook) -> None:
    told.answers = [(500, {})]
    watched = {"on": "failed", "webhook": told.url}
    notifications(database, definition(watched)).turn()
    run(database, "r1", BAD)
    notifications(database, definition(watched)).turn()
    notifications(database, definition({**watched, "name": "other"})).turn()
    (event,) = sent(database)
    assert "no longer has a notification `n0`" in event.data["error"]
    assert len(told.bodies) == 1


def test_secrets_and_addresses_are_stored_nowhere(opens: Opens, told: Hook, tmp_path: Path) -> None:
    """Neither those that the definition refers to, nor those that foreign systems say in their errors."""
    vault = Vault.of(tmp_path, {"CANARY": CANARY})
    url = Secret(told.url + "/${secret:env/CANARY}", vault)
    headers = {"Authorization": Secret("${secret:env/CANARY}", vault)}
    watched = definition({"on": ["failed", "recovered"], "webhook": {"url": url, "headers": headers}})
    told.answers = [(404, {}), (200, {})]
    telling = notifications(opens(), watched)
    telling.turn()
    run(opens(), "r1", BAD, error="ValueError", message="row 7 holds 4111-1111")
    telling.turn()
    run(opens(), "r2", GOOD)
    telling.turn()
    assert told.paths == [f"/{CANARY}"] * 2
    assert "4111-1111" not in str(told.bodies)
    stored = tables(opens())
    assert CANARY not in str(stored)
    assert told.url not in str(stored)
    assert CANARY not in repr(watched)


def tables(database: Database) -> Mapping[str, Any]:
    names = ("events", "watches", "outcomes", "alerts", "deliveries", "queue", "marks")
    with database.reading() as db:
        return {name: db.rows(f"select * from {name}") for name in names}


def test_a_long_history_is_trimmed(database: Database, told: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.infrastructure.storage.notification_records._HISTORY", 3)
    telling = notifications(database, definition({"on": "failed", "webhook": told.url, "after": 3}))
    telling.turn()
    for i in range(6):
        run(database, f"r{i}", BAD)
        telling.turn()
    assert [row[2] for row in tables(database)["outcomes"]] == ["r3", "r4", "r5"]
    assert [body["run"]["id"] for body in told.bodies] == ["r2"]
