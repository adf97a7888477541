"""Ctrl-C is remembered whatever becomes of the exception, and held back where it could not be dealt with."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from headrace.application.orchestrator.interruptions import Interruptions
from headrace.errors import TimedOut


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_is_raised_at_once_and_the_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruptions():
        press()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_held_back_is_raised_when_it_is_let_go_and_once() -> None:
    with Interruptions() as interruptions:
        interruptions.hold()
        press()
        with pytest.raises(KeyboardInterrupt):
            interruptions.let_go()
        interruptions.let_go()


def test_what_is_held_back_to_the_end_is_raised_behind_it() -> None:
    done = []

    def work() -> None:
        with Interruptions() as interruptions:
            interruptions.hold()
            press()
            done.append("the end")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the end"]


def test_what_a_destructor_swallows_is_remembered() -> None:
    class Swallowing:
        def __del__(self) -> None:
            with suppress(KeyboardInterrupt):
                press()

    with Interruptions() as interruptions:
        found = Swallowing()
        del found
        with pytest.raises(KeyboardInterrupt):
            interruptions.look()


def test_what_a_library_makes_an_error_of_is_an_interruption_again() -> None:
    def work() -> None:
        with Interruptions(), closing(sqlite3.connect(":memory:")) as con:
            con.set_progress_handler(press, 100)  # what is raised in it becomes an OperationalError
            con.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n").fetchall()

    with pytest.raises(KeyboardInterrupt) as raised:
        work()
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)


def test_an_error_of_ours_says_more_than_the_interruption() -> None:
    def work() -> None:
        with Interruptions():
            try:
                press()
            except KeyboardInterrupt:
                raise TimedOut("it took too long") from None

    with pytest.raises(TimedOut):
        work()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda _number, _frame: None])
def test_who_ignores_it_goes_on_but_hears_what_its_own_threads_demand(handler: Callable[..., Any]) -> None:
    signal.signal(signal.SIGINT, handler)
    with Interruptions() as interruptions:
        press()
        assert not interruptions.asked
        threading.Timer(0.1, interruptions.demand).start()
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait(60)


def test_in_another_thread_it_hears_nothing() -> None:
    heard = []

    def elsewhere() -> None:
        with Interruptions() as interruptions:
            heard.append(interruptions.heard_here)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert heard == [False]
