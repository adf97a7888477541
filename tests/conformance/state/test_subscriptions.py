"""Durable subscriptions on every database: in order, at least once, effectively once for projections, and never in each other's way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.conformance.state.conftest import Opens

from headrace.bus.events import Event, PipelineCompletedEvent, PipelineFailedEvent, PipelineStartedEvent
from headrace.bus.store import Envelope
from headrace.bus.subscriptions import Backoff, Rows, Subscription
from headrace.errors import NonRetryableError, RetryableError, UsageError
from headrace.infrastructure.storage import subscription_store
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.delivering import Delivery
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.subscription_store import SubscriptionStore

AT_ONCE = Backoff(0.0, 0.0)


def told(log: EventLog, *runs: str) -> None:
    for run in runs:
        log.append(run, [PipelineStartedEvent(run, pipeline="p"), PipelineCompletedEvent(run, pipeline="p")])


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


class Heard:
    """A handler that writes down what it hears, and fails as often as it is told to."""

    def __init__(self, fails: dict[int, Sequence[Exception]] | None = None) -> None:
        self.positions: list[int] = []
        self.fails = {position: list(errors) for position, errors in (fails or {}).items()}

    def __call__(self, event: Envelope) -> None:
        if self.fails.get(event.position):
            raise self.fails[event.position].pop(0)
        self.positions.append(event.position)


def test_it_goes_on_where_it_was_in_another_process(opens: Opens) -> None:
    log, heard = EventLog(opens()), Heard()
    told(log, "a")
    Delivery(log.database, Subscription("s", (), heard)).catch_up()
    told(log, "b")
    Delivery(opens(), Subscription("s", (), heard)).catch_up()
    assert heard.positions == [1, 2, 3, 4]
    (standing,) = SubscriptionStore(log.database).standing()
    assert (standing.position, standing.behind, standing.owner) == (4, 0, "")


def test_it_hears_of_what_it_wants_and_reads_past_the_rest(log: EventLog) -> None:
    told(log, "a", "b")
    heard = Heard()
    Delivery(log.database, Subscription("s", ["pipeline.comp*"], heard)).catch_up()
    assert heard.positions == [2, 4]


def test_a_new_one_may_begin_with_what_comes_after_it(log: EventLog) -> None:
    told(log, "a")
    heard = Heard()
    delivery = Delivery(log.database, Subscription("s", (), heard, starts="now"))
    delivery.catch_up()
    told(log, "b")
    delivery.catch_up()
    assert heard.positions == [3, 4]


def test_a_handler_may_be_a_coroutine(log: EventLog) -> None:
    told(log, "a")
    heard: list[int] = []

    async def slow(event: Envelope) -> None:
        heard.append(event.position)

    Delivery(log.database, Subscription("s", (), slow)).catch_up()
    assert heard == [1, 2]


def test_a_failure_is_tried_again_after_a_pause_and_nothing_overtakes_it(log: EventLog) -> None:
    told(log, "a", "b")
    clock = [1000.0]
    heard = Heard({2: [RetryableError("down"), RetryableError("down", retry_after=40)]})
    delivery = Delivery(log.database, Subscription("s", (), heard, backoff=Backoff(4.0, 60.0)), wall=lambda: clock[0])
    delivery.catch_up()
    assert heard.positions == [1]
    clock[0] += 1.9
    delivery.catch_up()
    assert heard.positions == [1]
    clock[0] += 2.2
    delivery.catch_up()
    assert SubscriptionStore(log.database).standing()[0].failures == 2
    clock[0] += 39
    delivery.catch_up()
    assert heard.positions == [1]
    clock[0] += 2
    delivery.catch_up()
    assert heard.positions == [1, 2, 3, 4]


def test_a_clock_that_was_set_back_does_not_stop_it(log: EventLog) -> None:
    told(log, "a")
    clock = [1e9]
    heard = Heard({1: [RetryableError("down")]})
    delivery = Delivery(log.database, Subscription("s", (), heard), wall=lambda: clock[0])
    delivery.catch_up()
    clock[0] -= 1e6
    delivery.catch_up()
    assert heard.positions == [1, 2]


def test_an_event_that_keeps_failing_is_put_aside_with_what_follows_of_its_run(log: EventLog) -> None:
    log.append("a", [PipelineStartedEvent("a"), PipelineCompletedEvent("a")])
    log.append("b", [PipelineStartedEvent("b")])
    told(log, "c")
    heard = Heard({1: [ValueError("postgresql://ada:hunter2@db password=hunter2")] * 3})
    delivery, store = (
        Delivery(log.database, Subscription("s", (), heard, attempts=3, backoff=AT_ONCE)),
        SubscriptionStore(log.database),
    )
    for _ in range(3):
        delivery.catch_up()
    assert heard.positions == [3, 4, 5]
    first, second = store.dead_letters("s")
    assert (first.position, second.position) == (1, 2)
    assert "hunter2" not in first.error
    assert first.error.startswith("ValueError: postgresql://db")
    assert second.error == "waits behind an event of its run that was given up"
    log.append("a", [PipelineFailedEvent("a", "no")])
    delivery.catch_up()
    assert [d.position for d in store.dead_letters("s")] == [1, 2, 6]
    assert store.retry("s") == 3
    delivery.catch_up()
    assert heard.positions == [3, 4, 5, 1, 2, 6]
    assert store.dead_letters() == []


def test_a_dead_letter_that_fails_again_stays_and_holds_back_its_run_only(log: EventLog) -> None:
    told(log, "a", "b")
    heard = Heard({1: [ValueError("x")] * 2, 3: [ValueError("x")]})
    delivery, store = Delivery(log.database, Subscription("s", (), heard, attempts=1)), SubscriptionStore(log.database)
    delivery.catch_up()
    assert [d.position for d in store.dead_letters("s")] == [1, 2, 3, 4]
    store.retry("s")
    delivery.catch_up()
    assert heard.positions == [3, 4]
    assert [(d.position, d.due) for d in store.dead_letters("s")] == [(1, False), (2, False)]
    assert store.drop("s", 1) == 1
    assert store.retry("s", 2) == 1
    delivery.catch_up()
    assert heard.positions == [3, 4, 2]
    with pytest.raises(UsageError, match="no dead letters"):
        store.drop("s")


def test_a_patient_one_waits_for_the_other_side_and_gives_up_what_cannot_succeed(log: EventLog) -> None:
    told(log, "a")
    heard = Heard({1: [RetryableError("down")] * 50, 2: [NonRetryableError("gone")] * 2})
    subscription = Subscription("s", (), heard, attempts=2, backoff=AT_ONCE, patient=True)
    delivery = Delivery(log.database, subscription)
    for _ in range(60):
        delivery.catch_up()
    assert heard.positions == [1]
    assert [d.position for d in SubscriptionStore(log.database).dead_letters()] == [2]


def test_only_one_of_two_processes_delivers_and_the_other_takes_over(opens: Opens) -> None:
    log = EventLog(opens())
    told(log, "a")
    inside, others = [], Heard()
    second = Delivery(opens(), Subscription("s", (), others), owner="elsewhere/2/1")

    def slow(event: Envelope) -> None:
        inside.append(event.position)
        second.catch_up()

    Delivery(log.database, Subscription("s", (), slow), owner="elsewhere/1/1").catch_up()
    assert (inside, others.positions) == ([1, 2], [])
    told(log, "b")
    second.catch_up()
    assert others.positions == [3, 4]


def test_one_that_lost_its_claim_moves_nothing(opens: Opens) -> None:
    log = EventLog(opens())
    told(log, "a", "b")
    second = Heard()

    def sleepy(event: Envelope) -> None:
        with_lease_over = "update subscriptions set lease_until = 0, owner = 'elsewhere/9/9' where name = 's'"
        log.database.write(lambda db: db.run(with_lease_over))

    Delivery(log.database, Subscription("s", (), sleepy), owner="elsewhere/1/1").catch_up()
    Delivery(opens(), Subscription("s", (), second), owner="elsewhere/2/2").catch_up()
    assert second.positions == [1, 2, 3, 4]


def test_many_deliverers_at_once_skip_nothing_and_keep_the_order_of_each_run(opens: Opens) -> None:
    log = EventLog(opens())
    told(log, *(f"r{i}" for i in range(40)))
    heard = Heard()

    def deliver(name: str) -> None:
        delivery = Delivery(opens(), Subscription("s", (), heard, batch=7), owner=name)
        while (
            SubscriptionStore(delivery.database).standing() == [] or SubscriptionStore(delivery.database).standing()[0].behind
        ):
            delivery.step()

    threads = [threading.Thread(target=deliver, args=(f"elsewhere/{i}/1",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard.positions == list(range(1, 81))


def test_a_handler_holds_up_nobody_who_appends(opens: Opens) -> None:
    log, other, seen = EventLog(opens()), EventLog(opens()), []
    told(log, "a")

    def appends(event: Envelope) -> None:
        if len(seen) < 4:
            seen.append(other.append("b", [PipelineStartedEvent("b")])[0].position)

    Delivery(log.database, Subscription("s", (), appends)).catch_up()
    assert seen == [3, 4, 5, 6]


def test_batches_are_bounded_by_number_and_by_text(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append("a", [PipelineStartedEvent("a", {"text": "x" * 1000}) for _ in range(10)])
    store = SubscriptionStore(log.database)
    assert [e.position for e in store.page(0, 4)] == [1, 2, 3, 4]
    monkeypatch.setattr(subscription_store, "MOST_TEXT", 2_500)
    assert [e.position for e in store.page(0, 100)] == [1, 2]
    monkeypatch.setattr(subscription_store, "MOST_TEXT", 10)
    assert [e.position for e in store.page(3, 100)] == [4]


def test_it_can_be_replayed_from_any_position_and_forgotten(log: EventLog) -> None:
    told(log, "a", "b")
    heard, store = Heard(), SubscriptionStore(log.database)
    subscription = Subscription("s", (), heard)
    Delivery(log.database, subscription).catch_up()
    store.replay(subscription, 2)
    Delivery(log.database, subscription).catch_up()
    assert heard.positions == [1, 2, 3, 4, 3, 4]
    store.forget("s")
    assert store.standing() == []
    with pytest.raises(UsageError, match="no subscription `s`"):
        store.forget("s")


# Projections ---------------------------------------------------------------------------------------------------------


class Counts:
    """A projection that counts the events of each run; it cannot count those of the run `bad` while it is `broken`."""

    def __init__(self) -> None:
        self.broken, self.calls = True, 0

    def apply(self, tx: Rows, events: Sequence[Envelope]) -> None:
        self.calls += 1
        for event in events:
            tx.run(
                "insert into counts (run, n) values (:run, 1) on conflict (run) do update set n = counts.n + 1",
                {"run": event.stream},
            )
            if event.stream == "bad" and event.number == 1 and self.broken:
                raise ValueError("no")

    def drop(self, tx: Rows, after: int) -> None:
        tx.run("delete from counts")


@pytest.fixture
def counted(log: EventLog) -> EventLog:
    log.database.write(lambda db: db.run("create table counts (run text primary key, n bigint not null)"))
    return log


def counts(log: EventLog) -> dict[str, int]:
    with log.database.reading() as db:
        return {row[0]: row[1] for row in db.rows("select run, n from counts")}


def test_rows_and_position_of_a_projection_commit_together(counted: EventLog) -> None:
    class Dies(BaseException):
        pass

    class Dying(Counts):
        def apply(self, tx: Rows, events: Sequence[Envelope]) -> None:
            super().apply(tx, events)
            raise Dies

    told(counted, "a", "b")
    with pytest.raises(Dies):
        Delivery(counted.database, Subscription("s", (), Dying())).catch_up()
    assert counts(counted) == {}
    Delivery(counted.database, Subscription("s", (), Counts())).catch_up()
    assert counts(counted) == {"a": 2, "b": 2}


def test_projections_in_several_processes_count_each_event_once(counted: EventLog, opens: Opens) -> None:
    told(counted, *(f"r{i}" for i in range(30)))

    def project() -> None:
        Delivery(opens(), Subscription("s", (), Counts(), batch=3)).catch_up()

    threads = [threading.Thread(target=project) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(counted) == {f"r{i}": 2 for i in range(30)}


def test_what_a_projection_cannot_take_is_put_aside_alone_and_applied_later_in_order(counted: EventLog) -> None:
    told(counted, "a", "bad", "c")
    projection = Counts()
    delivery, store = (
        Delivery(counted.database, Subscription("s", (), projection, attempts=1)),
        SubscriptionStore(counted.database),
    )
    delivery.catch_up()
    assert counts(counted) == {"a": 2, "c": 2}
    assert [d.position for d in store.dead_letters("s")] == [3, 4]
    store.retry("s")
    delivery.catch_up()
    assert [(d.position, d.due) for d in store.dead_letters("s")] == [(3, False), (4, False)]
    projection.broken = False
    store.retry("s")
    delivery.catch_up()
    assert counts(counted) == {"a": 2, "bad": 2, "c": 2}
    store.replay(delivery.subscription)
    delivery.catch_up()
    assert counts(counted) == {"a": 2, "bad": 2, "c": 2}


def test_looking_for_something_new_writes_nothing(counted: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    told(counted, "a")
    delivery = Delivery(counted.database, Subscription("s", (), Counts()))
    delivery.catch_up()
    monkeypatch.setattr(counted.database, "write", None)
    assert not delivery.step()


# A process that dies -------------------------------------------------------------------------------------------------

DELIVERS = """
import sys
from pathlib import Path
from headrace.bus.subscriptions import Subscription
from headrace.infrastructure.storage.delivering import Delivery
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

def tell(event):
    with open(sys.argv[2], "a") as out:
        out.write(f"{event.position}\\n")

Delivery(SqliteDatabase(Path(sys.argv[1])), Subscription("s", (), tell)).catch_up()
"""


def test_one_that_is_killed_behind_its_deed_repeats_and_loses_nothing(tmp_path: Path) -> None:
    from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

    path, out = tmp_path / "headrace.db", tmp_path / "told"
    told(EventLog(SqliteDatabase(path)), "a", "b", "c")
    for nth in (1, 3, 0):
        env = {"HEADRACE_FAILPOINTS": f"delivered@{nth}"} if nth else {}
        done = subprocess.run([sys.executable, "-c", DELIVERS, str(path), str(out)], env=env, check=False)
        assert (done.returncode == 0) == (nth == 0)
    heard = [int(line) for line in out.read_text().split()]
    assert heard == [1, 1, 2, 3, 1, 2, 3, 4, 5, 6]
    assert set(Counter(heard)) == {1, 2, 3, 4, 5, 6}


def test_events_of_a_run_are_never_told_out_of_order(log: EventLog) -> None:
    """Whatever fails how often: the first deliveries of a run's events follow its order."""
    kinds: list[type[Event]] = [PipelineStartedEvent, PipelineCompletedEvent]
    for i in range(12):
        log.append(f"r{i % 3}", [kinds[i % 2](f"r{i % 3}")])
    heard = Heard({2: [ValueError("x")] * 2, 7: [ValueError("x")], 9: [RetryableError("x")] * 3})
    delivery = Delivery(log.database, Subscription("s", (), heard, attempts=2, backoff=AT_ONCE))
    store = SubscriptionStore(log.database)
    for _ in range(12):
        delivery.catch_up()
        if store.dead_letters():
            store.retry("s")
    assert sorted(heard.positions) == list(range(1, 13))
    for remainder in range(3):
        of_run = [p for p in heard.positions if p % 3 == remainder]
        assert of_run == sorted(of_run)
