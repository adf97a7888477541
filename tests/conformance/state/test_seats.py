"""Seats at streams, on every database: each is taken once, by who can reach it, as long as the run is held by who offered it."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.state.test_run_queue import ME, asked

from headrace.application.orchestrator.queue import Lease
from headrace.application.orchestrator.seats import Seat
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.seat_list import DatabaseSeats

ELSEWHERE = replace(ME, name="elsewhere/1/1", host="elsewhere")


def led(database: Database, run_id: str = "r1") -> Lease:
    queue = DatabaseRunQueue(database)
    queue.submit(asked(run_id))
    lease = queue.claim(ME, run_id)
    assert lease is not None
    return lease


def seats(run_id: str, number: int, host: str | None = None) -> list[Seat]:
    return [Seat(run_id, n, "here:1", bytes([n, 255]), "f", host) for n in range(1, number + 1)]


def test_each_seat_is_taken_once_and_again_when_it_is_free(database: Database) -> None:
    offered, kept = seats("r1", 2), DatabaseSeats(database)
    kept.offer(offered, led(database).token)
    assert [kept.take(ME), kept.take(ELSEWHERE), kept.take(ME)] == [*offered, None]
    assert kept.taken("r1") == {1, 2}
    kept.free(offered[1])
    assert (kept.taken("r1"), kept.take(ELSEWHERE, "r1")) == ({1}, offered[1])
    kept.withdraw("r1")
    assert (kept.taken("r1"), kept.take(ME)) == (set(), None)


def test_a_seat_that_cannot_be_reached_is_not_taken(database: Database) -> None:
    kept = DatabaseSeats(database)
    kept.offer(seats("r1", 1, ME.host), led(database).token)
    assert kept.take(ELSEWHERE) is None
    assert kept.take(ME, "r2") is None
    assert kept.take(ME) is not None


def test_what_a_lost_worker_has_offered_is_not_taken(database: Database) -> None:
    kept, lease = DatabaseSeats(database), led(database)
    kept.offer(seats("r1", 1), lease.token)
    queue = DatabaseRunQueue(database)
    assert queue.abandon(lease, ME, "it is gone")
    assert kept.take(ELSEWHERE) is None, "nobody leads"
    again = queue.claim(ELSEWHERE, "r1")
    assert again is not None
    assert kept.take(ELSEWHERE) is None, "another leads"
    new = [replace(seat, secret=b"new") for seat in seats("r1", 1)]
    kept.offer(new, again.token)
    kept.free(seats("r1", 1)[0])
    assert kept.take(ELSEWHERE) == new[0]
