"""The log of a run: nothing is lost that can be kept, the rest is counted, and it goes with the events of its run."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from multiprocessing import Pipe
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.infrastructure.run_logs import BoundedLog, Listener, RunLogs

HEAD, TAIL = 20, 50


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.lists(st.integers(1, 80), max_size=8), max_size=3))
def test_of_all_attempts_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]]
) -> None:
    letters = cycle(b"abcdefghijklmnopqrstuvwxyz\n")
    attempts = [[bytes(islice(letters, size)) for size in pieces] for pieces in sizes]
    path = tmp_path_factory.mktemp("logs") / "run.log"
    for pieces in attempts:
        log = BoundedLog(path, HEAD, TAIL)
        for piece in pieces:
            log.write(piece)
        log.close()
    written = b"".join(piece for pieces in attempts for piece in pieces)
    held = path.read_bytes() if attempts else b""
    marks = re.findall(rb"\n\[(\d+) bytes are left out here\]\n", held)
    if not marks:
        assert held == written
        return
    (count,) = map(int, marks)
    beginning, _, end = held.partition(b"\n[%d bytes are left out here]\n" % count)
    assert (written[:HEAD], written[-len(end) :]) == (beginning, end)
    assert len(beginning) + count + len(end) == len(written)
    assert len(end) >= TAIL
    assert len(held) <= HEAD + 2 * TAIL + 80


def test_a_log_that_cannot_be_written_does_not_hold_up_who_prints(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way of the folder")
    heard, said = Pipe(duplex=False)
    listener = Listener(heard, tmp_path / "logs" / "run.log")
    for _ in range(100):
        os.write(said.fileno(), b"x" * 10_000)
    said.close()
    listener.join()


def test_a_log_goes_when_it_is_old_and_nothing_is_known_of_its_run(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for name, days in {"gone": 91, "kept": 91, "young": 89}.items():
        (tmp_path / f"{name}.log").touch()
        os.utime(tmp_path / f"{name}.log", ((now - timedelta(days=days)).timestamp(),) * 2)
    asked: list[set[str]] = []

    def forgotten(runs: Collection[str]) -> Collection[str]:
        asked.append(set(runs))
        return set(runs) - {"kept"}

    assert RunLogs(tmp_path, 90, forgotten).tidy(now) == 1
    assert asked == [{"gone", "kept"}]
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["kept", "young"]
