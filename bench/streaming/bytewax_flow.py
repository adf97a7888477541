"""Bytewax: lines of a file, parsed batch by batch, counted and averaged by key in windows of ten seconds. Nothing is judged."""

from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import orjson
from bytewax.connectors.files import FileSink, FileSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window

BEGIN, LENGTH = datetime(2024, 1, 1, tzinfo=UTC), timedelta(seconds=10)


def parsed(lines):
    return [(row["key"], row) for row in map(orjson.loads, lines)]


def happened(row):
    return datetime.fromisoformat(row["at"])


def add(found, row):
    found[0] += 1
    found[1] += row["value"]
    return found


def merge(one, other):
    return [one[0] + other[0], one[1] + other[1]]


def written(item):
    key, (window, (count, total)) = item
    return key, f"{BEGIN + window * LENGTH},{key},{count},{total / count}"


# Its clock goes on with that of the system, so it has to be told to wait long, or what is read slowly is late.
clock = EventClock(happened, wait_for_system_duration=timedelta(days=1000))
windows = TumblingWindower(length=LENGTH, align_to=BEGIN)
flow = Dataflow("counted")
lines = op.input("read", flow, FileSource("events.ndjson", batch_size=1000))
rows = op.flat_map_batch("parse", lines, parsed)
found = fold_window("count", rows, clock, windows, lambda: [0, 0], add, merge)
op.output("write", op.map("format", found.down, written), FileSink("out.csv"))
