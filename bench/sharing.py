"""How much faster a stream is that several workers share: the same generated events, judged by eight rules and counted by key in windows of ten
seconds, by one, two and three of them.

    python bench/sharing.py [--seconds 30] [--workers 1,2,3]

What counts is rows a second by the wall, between the first and the last look at a stream whose workers are all there.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from measure import HEADRACE, keep, table

DEFINITION = """
pipeline: shared
sources:
  events:
    rate:
      partitions: 6
      format: ndjson
      message_rows: 500
      fields: {{id: sequence, at: time, key: {{key: 1000}}, value: {{between: [0, 999_999]}}, kind: {{one_of: [view, click, buy]}}, note: {{text: 80}}}}
    contract:
      columns:
        id: {{type: int64, required: true}}
        at: {{type: timestamptz, required: true}}
        key: {{type: string, required: true, length: {{max: 12}}}}
        value: {{type: int64, required: true, between: [0, 1_000_000]}}
        kind: {{type: string, in: [view, click, buy]}}
        note: {{type: string, length: {{max: 200}}}}
    watermark: {{column: at, delay: 1 second}}
steps:
  - aggregate: {{by: [key], window: {{tumbling: 10 seconds}}, measures: {{events: count(*), mean: avg(value)}}}}
sinks:
  - duckdb: {{path: out.duckdb, table: counted, mode: append}}
stream: {{workers: {workers}, checkpoint: 1 second, rows: 100}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--workers", default="1,2,3")
    options = parser.parse_args()
    rates = {int(workers): rate(int(workers), options.seconds) for workers in options.workers.split(",")}
    alone = rates[min(rates)]
    rows = [[str(workers), f"{found:,.0f}", f"{found / alone:.2f}"] for workers, found in rates.items()]
    keep("sharing", {"rows_per_second": rates}, table(["workers", "rows/s", "times one"], rows))


def rate(workers: int, seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        (Path(folder) / "pipeline.yaml").write_text(DEFINITION.format(workers=workers))
        log = Path(folder) / ".headrace" / "headrace.db"
        process = subprocess.Popen([HEADRACE, "run", "-q"], cwd=folder)
        try:
            while not (seen := looks(log, workers)):
                time.sleep(0.5)
            time.sleep(seconds)
            seen = looks(log, workers)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)


def looks(log: Path, workers: int) -> list[tuple[float, int]]:
    """When the stream was looked at with all workers there, and how many rows it had read."""
    if not log.exists():
        return []
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=30)) as con:
        try:
            told = con.execute("SELECT at, data FROM events WHERE type = 'stream.progressed/1' ORDER BY position").fetchall()
        except sqlite3.OperationalError:
            return []
    found = [(datetime.fromisoformat(at).timestamp(), json.loads(data)) for at, data in told]
    return [(at, d["sources"]["events"]["read"]) for at, d in found if d["sources"] and len(d["workers"]) == workers - 1]


if __name__ == "__main__":
    main()
