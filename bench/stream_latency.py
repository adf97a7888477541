"""How long it takes from an event to its result: from its publication in Redis Streams to the committed row in PostgreSQL, by the clock.

    python bench/stream_latency.py [--seconds 20] [--only closes]

`changes`: 20,000 events a second of a thousand keys, eight rules, totals by key and ten seconds that are merged into the table; of every
event, when a committed total counts it in. `closes`: 2,000 events a second in windows of one second; of every window, how long after its
end its rows are there. Events come from a process of their own, two hundred every ten milliseconds, or four every two. What has become of
them is asked for when the row that keeps the epoch has changed, which is looked at every two milliseconds and costs the server nothing to
speak of; to look through all the results as often would. Wall time depends on the neighbours: the load of the machine is told beside.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psycopg
import redis
from tests.integration.postgres_server import PostgresServer
from tests.integration.valkey_server import ValkeyServer

from headrace.infrastructure.connectors.streams import stream_table
from measure import HEADRACE, keep, surroundings, table

DEFINITION = """
version: 1
pipeline: latency
sources:
  events:
    redis: {{url: '{redis}', stream: events, field: payload}}
    contract:
      columns:
        id: {{type: int64, required: true}}
        key: {{type: string, required: true, length: {{max: 12}}}}
        value: {{type: int64, required: true, between: [0, 1_000_000]}}
        kind: {{type: string, in: [view, click, buy]}}
        sent: {{type: int64, required: true}}
        at: {{type: timestamptz, required: true}}
    watermark: {{column: at}}
steps:
  - aggregate:
      by: [key]
      window: {{tumbling: {window}}}
      emit: {emit}
      measures: {{events: count(*), mean: avg(value), newest: max(sent)}}
sinks:
  - postgres: {{url: '{postgres}', table: found, {mode}}}
stream: {{checkpoint: {checkpoint}, wait: 2 ms}}
"""
#: How often events come, by how many there are in a second, and how often the table is looked at, in seconds.
TICKS = {20_000: 0.01, 2_000: 0.002}
LOOK = 0.002
#: What is left out at the beginning, while the stream starts, in seconds.
WARM = 3.0


def publish(url: str, rate: int, seconds: float) -> None:
    """Every tick the events of that time, which happened as they are sent."""
    each, note = int(rate * TICKS[rate]), "x" * 60
    with redis.Redis.from_url(url) as client:
        begun, number = time.time(), 0
        while time.time() < begun + seconds:
            time.sleep(max(0.0, begun + number / rate - time.time()))
            now = time.time_ns() // 1000
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000)) + f".{now % 1_000_000:06}Z"
            with client.pipeline(transaction=False) as pipe:
                for i in range(number, number + each):
                    row = f'{{"id": {i}, "key": "key{i * 7919 % 1000}", "value": {i % 1000}, "kind": "view", "sent": {now}, "at": "{at}", "note": "{note}"}}'
                    pipe.xadd("events", {"payload": row}, maxlen=500_000, approximate=True)
                pipe.execute()
            number += each


def measured(kind: str, seconds: float) -> list[float]:
    """Milliseconds, sorted: of each tick's events, or of each window."""
    rate, found_by, options = WORK[kind]
    server = ValkeyServer().start()
    try:
        with PostgresServer.running() as database, tempfile.TemporaryDirectory() as folder:
            url = database.new_database()
            text = DEFINITION.format(redis=server.url, postgres=url, **options)
            Path(folder, "pipeline.yaml").write_text(text)
            stream = subprocess.Popen([HEADRACE, "run", "--quiet", "pipeline.yaml"], cwd=folder, env=surroundings())
            command = [sys.executable, __file__, "--publish", server.url, "--rate", str(rate), "--seconds", str(seconds + WARM)]
            publisher = subprocess.Popen(command)
            try:
                with psycopg.connect(url, autocommit=True) as con:
                    found = found_by(con, publisher)
            finally:
                publisher.wait()
                stream.send_signal(2)
                assert stream.wait() == 0
    finally:
        server.remove()
    return sorted(found)


def _changes(con: psycopg.Connection[tuple[int]], publisher: subprocess.Popen[bytes]) -> list[float]:
    """Whenever newer events are counted in, how old they are."""
    found: list[float] = []
    known = begun = 0
    tick = round(TICKS[20_000] * 1_000_000)
    for now in _epochs(con, publisher):
        newest = _asked(con, "SELECT max(newest) FROM found")
        if newest > known:
            begun = begun or newest
            if known and newest - begun > WARM * 1_000_000:
                found += [(now - sent) / 1000 for sent in range(known + tick, newest + 1, tick)] or [(now - newest) / 1000]
            known = newest
    return found


def _closes(con: psycopg.Connection[tuple[int]], publisher: subprocess.Popen[bytes]) -> list[float]:
    """Whenever a window is there, how long ago its end was."""
    found: list[float] = []
    known = 0
    for now in _epochs(con, publisher):
        end = _asked(con, "SELECT (extract(epoch FROM max(window_end)) * 1000000)::bigint FROM found")
        if end > known:
            if known and end - known == 1_000_000:
                found.append((now - end) / 1000)
            known = end
    return found[int(WARM) :]


def _epochs(con: psycopg.Connection[tuple[int]], publisher: subprocess.Popen[bytes]) -> Iterator[int]:
    """When an epoch was seen to be committed, in microseconds, one after the other for as long as events are published."""
    known = 0
    while publisher.poll() is None:
        asked = time.time_ns() // 1000
        epoch = _asked(con, f"SELECT max(epoch) FROM {stream_table.NAME}")
        if epoch > known:
            known = epoch
            yield time.time_ns() // 1000
        time.sleep(max(0.0, LOOK - (time.time_ns() // 1000 - asked) / 1_000_000))


def _asked(con: psycopg.Connection[tuple[int]], question: str) -> int:
    try:
        ((value,),) = con.execute(question.encode()).fetchall()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(value or 0)


_CHANGES = {"window": "10 seconds", "emit": "change", "mode": "mode: merge, key: [window_start, key]"}
_CLOSES = {"window": "1 second", "emit": "close", "mode": "mode: append"}
WORK = {
    "changes, checkpoint 100 ms": (20_000, _changes, {**_CHANGES, "checkpoint": "100 ms"}),
    "changes, checkpoint 30 ms": (20_000, _changes, {**_CHANGES, "checkpoint": "30 ms"}),
    "changes, checkpoint 10 ms": (20_000, _changes, {**_CHANGES, "checkpoint": "10 ms"}),
    "closes, checkpoint 20 ms": (2_000, _closes, {**_CLOSES, "checkpoint": "20 ms"}),
    "closes, checkpoint 5 ms": (2_000, _closes, {**_CLOSES, "checkpoint": "5 ms"}),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--only", default="", help="what the names of the lines begin with")
    options.add_argument("--publish", help=argparse.SUPPRESS)
    options.add_argument("--rate", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.publish:
        publish(chosen.publish, chosen.rate, chosen.seconds)
        return
    found = {kind: measured(kind, chosen.seconds) for kind in WORK if kind.startswith(chosen.only)}
    rows = [
        [
            kind,
            f"{WORK[kind][0]:,}",
            str(len(ms)),
            *(f"{ms[int(len(ms) * share)]:.0f}" for share in (0.5, 0.99)),
            f"{ms[-1]:.0f}",
        ]
        for kind, ms in found.items()
    ]
    load = f"{os.getloadavg()[0]:.1f}"
    shown = table(["milliseconds", "events/s", "measured", "p50", "p99", "most"], rows)
    keep("stream-latency", {"load": load, "milliseconds": found}, f"{shown}\n\nload of the machine: {load}")


if __name__ == "__main__":
    main()
