"""The demonstration of streams plays through, and the windows that it leaves are those of the messages that it played."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
from tests.examples.pages import ROOT, environment


def test_the_windows_of_a_day_are_those_of_its_messages(tmp_path: Path) -> None:
    folder = tmp_path / "departures"
    shutil.copytree(ROOT / "examples" / "departures", folder, ignore=shutil.ignore_patterns("build"))
    done = subprocess.run(
        [sys.executable, "demo.py", "--days", "1", "--speed", "20000"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = next(word for word in done.stdout.split() if word.startswith("departures_"))
    messages = (
        f"read_json('{folder}/build/messages/*.jsonl', columns = {{'at': 'TIMESTAMPTZ', origin: 'VARCHAR', delay: 'INT'}})"
    )
    with duckdb.connect(str(folder / "build" / "departures.duckdb"), read_only=True) as con:
        given = con.sql(f"SELECT origin, window_start, departures, cancelled, worst_delay FROM {table} ORDER BY ALL").fetchall()
        expected = con.sql(
            "SELECT origin, time_bucket(INTERVAL '10 minutes', \"at\"), count(delay), count(*) - count(delay), max(delay) "
            f"FROM {messages} WHERE (delay IS NULL OR delay BETWEEN -60 AND 720) "
            f'AND "at" < (SELECT max(window_end) FROM {table}) GROUP BY 1, 2 ORDER BY ALL'
        ).fetchall()
    assert len(given) > 100
    assert given == expected
