"""Redis Streams to windows to PostgreSQL, exactly once: Headrace against a careful loop by hand, in one run.

    python bench/streams.py [--events 500000] [--rounds 2] [--per-entry 1]

JSON events of 200 bytes, of which Headrace judges eight rules and the loop none; count and mean by key in windows of ten seconds; rows, state and
position in one transaction of PostgreSQL. With `--per-entry 500`, an entry is a block of 500 lines. Both read what lies ready, from the first
entry to the last. What counts is events per second of wall time, and per second of the processor time of the process itself.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import psycopg
import redis
from tests.integration.postgres_server import PostgresServer
from tests.integration.valkey_server import ValkeyServer

from measure import HEADRACE, keep, table

DEFINITION = """
version: 1
pipeline: counted
sources:
  events:
    redis: {{url: '{redis}', stream: events, field: payload, format: {format}}}
    contract:
      columns:
        id: {{type: int64, required: true}}
        key: {{type: string, required: true, length: {{max: 12}}}}
        value: {{type: int64, required: true, between: [0, 1_000_000]}}
        kind: {{type: string, in: [view, click, buy]}}
        country: {{type: string, length: {{min: 2, max: 2}}}}
        at: {{type: timestamptz, required: true}}
    watermark: {{column: at, delay: 1 second}}
steps:
  - aggregate:
      by: [key]
      window: {{tumbling: 10 seconds}}
      measures: {{events: count(*), mean: avg(value)}}
sinks:
  - postgres: {{url: '{postgres}', table: counted, mode: append}}
stream: {{checkpoint: {checkpoint}, rows: 50_000}}
"""

#: Exactly once by hand: what becomes of the windows and the position, in one transaction for each batch. It judges nothing.
BY_HAND = r"""
import json, sys
from datetime import datetime
import orjson, psycopg, redis

broker, database, total = redis.Redis.from_url(sys.argv[1]), psycopg.connect(sys.argv[2]), int(sys.argv[3])
cursor = database.cursor()
cursor.execute("CREATE TABLE by_hand (w bigint, key text, n bigint, s bigint, PRIMARY KEY (w, key))")
cursor.execute("CREATE TABLE by_hand_at (position text)")
cursor.execute("INSERT INTO by_hand_at VALUES ('0')")
database.commit()
position, done = "0", 0
while done < total:
    entries = broker.xread({"events": position}, count=10_000)[0][1]
    sums = {}
    for _, fields in entries:
        for line in fields[b"payload"].splitlines():
            row = orjson.loads(line)
            group = (int(datetime.fromisoformat(row["at"]).timestamp()) // 10, row["key"])
            found = sums.setdefault(group, [0, 0])
            found[0] += 1
            found[1] += row["value"]
            done += 1
    position = entries[-1][0].decode()
    cursor.executemany(
        "INSERT INTO by_hand VALUES (%s, %s, %s, %s) ON CONFLICT (w, key) DO UPDATE SET n = by_hand.n + excluded.n, s = by_hand.s + excluded.s",
        [(w, key, n, s) for (w, key), (n, s) in sums.items()])
    cursor.execute("UPDATE by_hand_at SET position = %s", [position])
    database.commit()
"""


def events(number: int) -> Iterator[str]:
    """Events of 200 bytes in order of time, up to 0.4 seconds out of it, of a thousand keys; and one more, behind which all is over."""
    chance = random.Random(1)
    for i in range(number):
        at = 1_704_067_200 + i / 2000 + chance.uniform(0, 0.4)
        row = {
            "id": i,
            "key": f"key{int(chance.paretovariate(1)) % 1000:04d}",
            "value": chance.randrange(1000),
            "kind": ("view", "click", "buy")[i % 3],
            "country": "NO",
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}+00:00",
        }
        row["note"] = "x" * max(0, 200 - len(json.dumps(row)) - 12)
        yield json.dumps(row)
    yield json.dumps({**row, "id": -1, "at": "2025-01-01T00:00:00.000+00:00"})


def fill(url: str, number: int, per_entry: int) -> None:
    lines = events(number)
    with redis.Redis.from_url(url) as client:
        pipe = client.pipeline(transaction=False)
        for i in range(0, number, per_entry):
            pipe.xadd("events", {"payload": "\n".join(islice(lines, min(per_entry, number - i)))})
            if i % 5000 > (i + per_entry) % 5000 or per_entry >= 5000:
                pipe.execute()
        pipe.xadd("events", {"payload": next(lines)})
        pipe.execute()


def headrace(folder: Path, broker: str, database: str, number: int, per_entry: int, checkpoint: str) -> tuple[float, float]:
    """Wall and processor seconds, from the start of the process until the last window is published, and its stop."""
    form = "json" if per_entry == 1 else "ndjson"
    text = DEFINITION.format(redis=broker, postgres=database, format=form, checkpoint=checkpoint)
    (folder / "pipeline.yaml").write_text(text)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen([HEADRACE, "run", "--quiet", "pipeline.yaml"], cwd=folder)
    with psycopg.connect(database, autocommit=True) as con:
        while _counted(con) < number:
            assert process.poll() is None
            time.sleep(0.02)
    wall = time.monotonic() - begun
    process.send_signal(2)
    assert process.wait() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _counted(con: psycopg.Connection[tuple[int]]) -> int:
    try:
        return int((con.execute("SELECT coalesce(sum(events), 0) FROM counted").fetchone() or (0,))[0])
    except psycopg.errors.UndefinedTable:
        return 0


def by_hand(broker: str, database: str, number: int) -> tuple[float, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-c", BY_HAND, broker, database, str(number)], check=True)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(words: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=500_000)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--per-entry", type=int, default=1)
    options.add_argument("--checkpoint", default="200 ms")
    chosen = options.parse_args(words)
    taken: dict[str, list[tuple[float, float]]] = {"headrace": [], "by hand": []}
    broker = ValkeyServer().start()
    try:
        fill(broker.url, chosen.events, chosen.per_entry)
        with PostgresServer.running() as server:
            for _ in range(chosen.rounds):
                url = server.new_database()
                with tempfile.TemporaryDirectory() as folder:
                    taken["headrace"].append(
                        headrace(Path(folder), broker.url, url, chosen.events, chosen.per_entry, chosen.checkpoint)
                    )
                taken["by hand"].append(by_hand(broker.url, url, chosen.events))
                with psycopg.connect(url) as con:
                    ours = con.execute("SELECT sum(events), count(*) FROM counted").fetchone()
                    theirs = con.execute("SELECT sum(n), count(*) FROM by_hand WHERE w < 173568960").fetchone()
                assert ours is not None
                assert theirs is not None
                print(f"windows: {ours} by Headrace, {theirs} by hand")
    finally:
        broker.remove()
    rows = []
    for name, found in taken.items():
        wall, cpu = median(w for w, _ in found), median(c for _, c in found)
        rows.append([name, f"{chosen.events / wall:,.0f}", f"{chosen.events / cpu:,.0f}", f"{wall:.2f}", f"{cpu:.2f}"])
    shown = table(["", "events/s", "events per CPU s", "wall s", "CPU s"], rows)
    keep("streams", {"events": chosen.events, "taken": taken}, shown)


if __name__ == "__main__":
    main(sys.argv[1:])
