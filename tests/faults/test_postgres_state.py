"""The state database goes away again and again while runs go through several workers: all end, once, and well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.faults.counted import Counted
from tests.faults.oracle import prove, prove_no_litter, workspaces
from tests.faults.processes import PATIENCE, crew
from tests.integration.postgres_server import PostgresServer

RUNS = 20


def restarts(server: PostgresServer, over: threading.Event) -> None:
    """Stopped at once, and started again."""
    server.crash()
    over.wait(0.5)
    server.resume()
    over.wait(2)


def terminations(server: PostgresServer, over: threading.Event) -> None:
    """One connection after another is cut."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headrace' ORDER BY random() LIMIT 2"
        )
    over.wait(0.2)


def crowds(server: PostgresServer, over: threading.Event) -> None:
    """Others take every connection that there is, and those of ours are cut."""
    with ExitStack() as held:
        terminations(server, over)
        for _ in range(200):
            try:
                held.enter_context(psycopg.connect(server.url()))
            except psycopg.OperationalError:
                break
        over.wait(1)
    over.wait(1)


@contextmanager
def troubled(server: PostgresServer, trouble: Callable[[PostgresServer, threading.Event], None]) -> Iterator[list[str]]:
    """Within this the trouble comes again and again; gives what went wrong with making it."""
    over, wrong = threading.Event(), [""] * 0

    def make() -> None:
        while not over.is_set():
            try:
                trouble(server, over)
            except Exception as error:  # noqa: BLE001 - told to the test that asked for it
                wrong.append(repr(error))
                return

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield wrong
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("trouble", [restarts, terminations, crowds])
def test_all_runs_end_once(trouble: Callable[[PostgresServer, threading.Event], None], tmp_path: Path) -> None:
    server = PostgresServer().start()
    try:
        go_through(server, trouble, tmp_path / "project", RUNS)
    finally:
        server.remove()


def go_through(
    server: PostgresServer,
    trouble: Callable[[PostgresServer, threading.Event], None],
    folder: Path,
    runs: int,
    patience: float = PATIENCE,
) -> float:
    """Let runs go through three workers under trouble, and judge; the seconds that it took."""
    counted = Counted(folder, server.url(), "postgres", {"files": "append", "sqlite": "append"})
    counted.by_part()
    assert not counted.queue.outstanding(), "its tables are made before the trouble begins, which nobody makes again here"
    begun = time.monotonic()
    with crew(folder, patience) as processes:
        for _ in range(3):
            processes.start(parallel=2)
        with troubled(server, trouble) as wrong:
            for _ in range(runs):
                counted.feed_and_ask()
            processes.until(lambda: wrong or not counted.queue.outstanding())
        assert wrong == []
        took = time.monotonic() - begun
        prove(counted)
        counted.ask(part="0001")
        # A run says that it has ended, and then clears up.
        processes.until(lambda: not counted.queue.outstanding() and not workspaces(counted))
        prove_no_litter(counted)
        counted.database.close()
    return took
