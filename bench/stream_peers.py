"""Lines of JSON to windows, in Headrace and its peers: the same events, counted and averaged by key in windows of ten seconds.

    python bench/stream_peers.py [--events 2000000] [--rounds 1] [--only headrace,bytewax,pathway,spark,headrace-kafka,quix]

Events of 200 bytes in a file; Headrace judges eight rules, keeps positions and state, and commits exactly once, the peers do none of that, and
Pathway takes the file as one batch. Quix Streams reads from Kafka alone: it has a topic of Tansu, and Headrace once more beside it. Each is a
process of its own, in turn, start included; what counts is its processor time, with that of its children, the JVM among them. Peers are in
environments of their own (`make bench-peers`).
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import DATA, HEADRACE, keep, surroundings, table
from streams import events

SCRIPTS = Path(__file__).parent / "streaming"
DEFINITION = """
version: 1
pipeline: counted
sources:
  events:
    %s
    contract:
      columns:
        id: {type: int64, required: true}
        key: {type: string, required: true, length: {max: 12}}
        value: {type: int64, required: true, between: [0, 1_000_000]}
        kind: {type: string, in: [view, click, buy]}
        country: {type: string, length: {min: 2, max: 2}}
        at: {type: timestamptz, required: true}
    watermark: {column: at, delay: 1 second}
steps:
  - aggregate:
      by: [key]
      window: {tumbling: 10 seconds}
      measures: {events: count(*), mean: avg(value)}
sinks:
  - sqlite: {path: out.db, table: counted, mode: append}
stream: {checkpoint: 500 ms, rows: 50_000}
"""
FILE, TOPIC = "tail: {path: events.ndjson, message: block, format: ndjson}", "kafka: {servers: '%s', topic: events}"
_SUBREAPER = 36
#: How many events came out at the end, and in how many windows.
Found = tuple[int, int]


def headrace(folder: Path, number: int, source: str = FILE) -> Found:
    (folder / "pipeline.yaml").write_text(DEFINITION % source)
    process = subprocess.Popen([HEADRACE, "run", "--quiet", "pipeline.yaml"], cwd=folder, env=surroundings())
    found = (0, 0)
    while found[0] < number:
        assert process.poll() is None, "the stream has ended"
        time.sleep(0.1)
        found = _in_sqlite(folder / "out.db")
    process.send_signal(2)
    assert process.wait() == 0
    return found


def _in_sqlite(file: Path) -> Found:
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as con:
            (count, windows), *_ = con.execute("SELECT coalesce(sum(events), 0), count(*) FROM counted")
            return int(count), int(windows)
    except sqlite3.OperationalError:  # it is not there yet
        return 0, 0


def peer(room: str, *command: str) -> Callable[[Path, int], Found]:
    python = DATA / "venvs" / room / "bin" / "python" if room else Path(sys.executable)

    def run(folder: Path, _number: int) -> Found:
        path = {**surroundings(), "PYTHONPATH": str(SCRIPTS)}
        words = subprocess.run([str(python), *command], cwd=folder, env=path, capture_output=True, text=True, check=False)
        assert words.returncode == 0, words.stderr[-2000:]
        while True:  # a JVM outlives the process that started it, and is ours then
            try:
                os.wait()
            except ChildProcessError:
                break
        return _counted(folder)

    return run


def quix(folder: Path, _number: int) -> Found:
    python = DATA / "venvs" / "quix" / "bin" / "python"
    subprocess.run(
        [str(python), str(SCRIPTS / "quix_flow.py")], cwd=folder, env=surroundings(), check=True, capture_output=True
    )
    return _counted(folder)


def _counted(folder: Path) -> Found:
    counts = [int(row[2]) for row in _rows(folder) if row[0].startswith("2024")]
    return sum(counts), len(counts)


@contextmanager
def topic(folder: Path) -> Iterator[str]:
    """A topic with the events of the folder, at a broker of its own."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic
    from tests.integration.tansu_server import TansuServer

    server = TansuServer().start()
    try:
        client = {"bootstrap.servers": server.servers}
        settings = {"retention.ms": "604800000", "retention.bytes": "-1", "cleanup.policy": "delete"}  # Quix asks for them
        admin = AdminClient(client)
        for made in admin.create_topics([NewTopic("events", 1, 1, config=settings)]).values():
            made.result()
        producer = Producer({**client, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
        with (folder / "events.ndjson").open("rb") as lines:
            for number, line in enumerate(lines):
                producer.produce("events", line.rstrip(), key=json.loads(line)["key"].encode())
                if number % 1000 == 0:
                    producer.poll(0)
        producer.flush()
        yield server.servers
    finally:
        server.remove()


def _rows(folder: Path) -> Iterator[Sequence[str]]:
    files = sorted((folder / "out").glob("*.csv")) if (folder / "out").is_dir() else [folder / "out.csv"]
    for file in files:
        with file.open(newline="") as text:
            yield from csv.reader(text)


CONTESTANTS: dict[str, tuple[str, Callable[[Path, int], Found]]] = {
    "headrace": ("Headrace, rules judged, exactly once", headrace),
    "bytewax": ("Bytewax 0.21", peer("bytewax", "-m", "bytewax.run", "bytewax_flow:flow")),
    "pathway": ("Pathway 0.33, as a batch", peer("pathway", str(SCRIPTS / "pathway_flow.py"))),
    "spark": ("Spark Structured Streaming, two threads", peer("", str(SCRIPTS / "spark_flow.py"))),
    "headrace-kafka": ("Headrace, from a topic", lambda folder, number: headrace(folder, number, TOPIC % os.environ["BROKER"])),
    "quix": ("Quix Streams 3.28, from a topic", quix),
}
FROM_TOPICS = ("headrace-kafka", "quix")


def used() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def prepared(folder: Path, number: int) -> None:
    """The events in one file, and in ten, and the one behind which all windows are over in one more."""
    lines = list(events(number))
    (folder / "events.ndjson").write_text("".join(f"{line}\n" for line in lines))
    (folder / "parts").mkdir()
    size = -(-number // 10)
    for begin in (*range(0, number, size), number):
        part = folder / "parts" / f"{begin:09}.json"
        part.write_text("".join(f"{line}\n" for line in lines[begin : min(begin + size, number) if begin < number else None]))
        os.utime(part, (1_700_000_000 + begin, 1_700_000_000 + begin))  # the order in which Spark takes them


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=2_000_000)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--only", default=",".join(CONTESTANTS))
    chosen = options.parse_args()
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("children that outlive their parents can only be counted on Linux")
    rates: dict[str, list[float]] = {}
    for nth in range(chosen.rounds):
        for name in chosen.only.split(","):
            with tempfile.TemporaryDirectory() as made:
                prepared(Path(made), chosen.events)
                with topic(Path(made)) if name in FROM_TOPICS else nullcontext("") as os.environ["BROKER"]:
                    begun = used()
                    count, windows = CONTESTANTS[name][1](Path(made), chosen.events)
                    rates.setdefault(name, []).append(chosen.events / (used() - begun))
            print(
                f"{nth + 1}: {name}: {count:,} events in {windows:,} windows, {rates[name][-1]:,.0f} a CPU second",
                file=sys.stderr,
            )
            assert count == chosen.events, f"{name} has lost some"
    own = median(rates.get("headrace", [0.0]))
    rows = [[CONTESTANTS[name][0], f"{median(found):,.0f}", f"{own / median(found):.1f}"] for name, found in rates.items()]
    keep("stream-peers", {"events": chosen.events, "rates": rates}, table(["", "events per CPU s", "ours to it"], rows))


if __name__ == "__main__":
    main()
