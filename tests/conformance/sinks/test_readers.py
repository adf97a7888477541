"""Who reads while others publish sees one state or another, and never a part of one."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import duckdb
import pytest
from tests.conformance.sinks.crasher import LATER, Crasher
from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import WAYS_AND_MODES, FileTarget, Row, Target, checkpoint, row, stage
from tests.conformance.sinks.test_crashes import job

ROUNDS = 4

#: What a reader may meet instead of rows: files that were replaced after it had listed them, or a database that is busy.
BUSY = (duckdb.IOException, duckdb.ResourceInUseException, sqlite3.OperationalError, FileNotFoundError)


def seen(target: Target) -> list[Row]:
    """The names that are there and how many rows have each: read at once, as one state."""
    if isinstance(target, FileTarget) and target.options.get("partition_by"):
        return by_manifest(target)
    with unmoved(target.path) if isinstance(target, FileTarget) else nullcontext():
        return sorted(target.query("SELECT name, count(*) FROM rows GROUP BY name"), key=repr)


@contextmanager
def unmoved(folder: Path) -> Iterator[None]:
    """What is listed inside was one folder from first to last; otherwise it was replaced meanwhile, and the list says nothing."""
    held = os.open(folder, os.O_RDONLY)  # while it is held, no other folder gets its number
    try:
        yield
        if not os.path.samestat(os.fstat(held), folder.stat()):
            raise FileNotFoundError(f"{folder} was replaced while it was listed")
    finally:
        os.close(held)


def by_manifest(target: FileTarget) -> list[Row]:
    """Several folders are read exactly by the manifest, which is one file."""
    manifest = json.loads((target.path / "_manifest.json").read_text())
    target_files = [target.path / f["path"] for f in manifest["files"]]
    with scratch() as con:
        con.execute(f"CREATE TEMP VIEW rows AS {target._scan(con, target_files)}")
        return sorted(con.execute("SELECT name, count(*) FROM rows GROUP BY name").fetchall(), key=repr)


@pytest.mark.parametrize(("way", "mode"), WAYS_AND_MODES, indirect=["way"])
def test_a_reader_never_sees_a_part(way: Target, crasher: Crasher, tmp_path: Path, mode: str) -> None:
    found: list[list[Row]] = []
    wrong: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.wait(0.005):  # Who looks without a break keeps DuckDB's publishers out.
            try:
                found.append(seen(way))
            except BUSY:
                continue
            except BaseException as error:  # noqa: BLE001  carried to the test's own thread
                wrong.append(error)
                return

    way.sink(mode).publish(way.home, stage(tmp_path / "0", [row(n, "round 0") for n in range(50)]), checkpoint("c0"))
    states = [seen(way)]
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(1, ROUNDS):
            staged = stage(tmp_path / str(number), [row(n, f"round {number}") for n in range(50)])
            status = LATER
            while status == LATER:  # DuckDB lets no one publish while another process reads
                status, _ = crasher.carry_out(job(way, mode, staged, checkpoint(f"c{number}", day=number + 1)))
            assert status == 0
            states.append(quiet(way))
    finally:
        stop.set()
        reader.join()
    assert not wrong
    assert found
    assert [state for state in found if state not in states] == []


def quiet(target: Target) -> list[Row]:
    """The state between two publications; only the other reader may be in the way."""
    while True:
        try:
            if found := seen(target):  # a file that another thread is just opening has no tables yet
                return found
        except BUSY:
            continue
