"""Plays the flights of 2013 as a stream, and draws the delays of each airport as they come out of it.

The messages go through a broker when there is one (REDIS_URL, or KAFKA_SERVERS), and through a growing file otherwise; the windows are
upserted into PostgreSQL when there is one (POSTGRES_URL), and into a DuckDB file otherwise.

    python examples/departures/demo.py --speed 3600 --days 7
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from chart import watch
from playing import Send, into_file, into_kafka, into_redis, play

from headrace import Pipeline, sink, source, step

HERE = Path(__file__).parent
BUILD = HERE / "build"


def broker(name: str) -> tuple[Any, Send, str]:
    """The source, what sends messages to it, and both in words."""
    if url := os.environ.get("REDIS_URL"):
        return source.redis(url="${env.REDIS_URL}", stream=name, field="payload"), into_redis(url, name), "Redis"
    if servers := os.environ.get("KAFKA_SERVERS"):
        return source.kafka(servers="${env.KAFKA_SERVERS}", topic=name), into_kafka(servers, name), "Kafka"
    lines = BUILD / "messages" / f"{name}.jsonl"
    send = into_file(lines)
    send([])
    return source.tail(path=f"messages/{name}.jsonl"), send, "a growing file (set REDIS_URL or KAFKA_SERVERS for a broker)"


def target(name: str) -> tuple[Any, Callable[[], Sequence[dict[str, Any]]], str]:
    """The sink, what reads its latest windows as anybody might, and both in words."""
    keyed = {"mode": "merge", "key": ["origin", "window_start"]}
    query = (
        "SELECT origin, window_start, departures, cancelled, mean_delay FROM {} "
        "WHERE window_start > (SELECT max(window_start) FROM {}) - INTERVAL '12 hours'"
    )
    if url := os.environ.get("POSTGRES_URL"):
        return (
            sink.postgres(url="${env.POSTGRES_URL}", table=name, **keyed),
            lambda: _of_postgres(url, query, name),
            "PostgreSQL",
        )
    path = BUILD / "departures.duckdb"
    where = "examples/departures/build/departures.duckdb (set POSTGRES_URL for PostgreSQL)"
    return sink.duckdb(path="departures.duckdb", table=name, **keyed), lambda: _of_duckdb(path, query, name), where


def _of_postgres(url: str, query: str, table: str) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(url, row_factory=dict_row) as con:
        there = con.execute("SELECT to_regclass(%s) IS NOT NULL AS there", [table]).fetchone()
        return con.execute(query.format(table, table)).fetchall() if there and there["there"] else []


def _of_duckdb(path: Path, query: str, table: str) -> list[dict[str, Any]]:
    import duckdb

    if not path.exists():
        return []
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            found = con.execute(query.format(table, table))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except (duckdb.IOException, duckdb.CatalogException):
        return []  # an epoch is coming in just now, or none has yet


def pipeline(reads: Any, writes: Any) -> Pipeline:
    """Delay statistics per airport in ten-minute windows. A plane that leaves early or late is told of when it has left."""
    return (
        Pipeline("departures", description="How late planes leave New York", project=BUILD)
        .read(departures=reads, contract="../contract.yaml", watermark={"column": "at", "delay": "1 minute"})
        .apply(
            step.aggregate(
                by=["origin"],
                window={"tumbling": "10 minutes"},
                measures={
                    "departures": "count(delay)",
                    "cancelled": "count(*) - count(delay)",
                    "mean_delay": "avg(delay)",
                    "worst_delay": "max(delay)",
                    "late": "count(*) filter (where delay > 15)",
                },
            )
        )
        .write(writes)
        .stream("200 ms")
    )


def main(words: Sequence[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--speed", type=float, default=7200, help="seconds of 2013 for each second of now")
    options.add_argument("--days", type=int, default=3, help="how many days of 2013")
    chosen = options.parse_args(words)
    BUILD.mkdir(exist_ok=True)
    name = f"departures_{uuid.uuid4().hex[:6]}"
    reads, send, through = broker(name)
    writes, rows, into = target(name)
    definition = BUILD / "departures.yaml"
    definition.write_text(yaml.safe_dump(pipeline(reads, writes).document, sort_keys=False), encoding="utf-8")
    print(f"{chosen.days} days of departures at {chosen.speed:g} times their speed, through {through}, into {into}\n")
    with (BUILD / "run.log").open("w") as log:
        run = subprocess.Popen(
            [sys.executable, "-m", "headrace", "run", definition.name], cwd=BUILD, stdout=log, stderr=subprocess.STDOUT
        )
    stopping = threading.Event()
    drawing = threading.Thread(target=watch, args=(rows, stopping), daemon=True)
    drawing.start()
    try:
        play(chosen.days, chosen.speed, send, stopping)
        stopping.wait(2)
    except KeyboardInterrupt:
        print()
    stopping.set()
    drawing.join()
    run.send_signal(signal.SIGINT)
    code = run.wait()
    print(f"\n{(BUILD / 'run.log').read_text()}\nThe windows are in the table {name} of {into}.")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
