"""Pathway: lines of a file, counted and averaged by key in windows of ten seconds, all of the file as one batch. Nothing is judged."""

from datetime import UTC, datetime, timedelta

import pathway as pw

ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)


class Event(pw.Schema):
    key: str
    value: int
    at: str


events = pw.io.jsonlines.read("events.ndjson", schema=Event, mode="static")
timed = events.with_columns(at=pw.this.at.dt.strptime("%Y-%m-%dT%H:%M:%S.%f%z", contains_timezone=True))
found = timed.windowby(
    pw.this.at, window=pw.temporal.tumbling(duration=timedelta(seconds=10), origin=ORIGIN), instance=pw.this.key
).reduce(
    window=pw.this["_pw_window_start"],
    key=pw.this["_pw_instance"],
    events=pw.reducers.count(),
    mean=pw.reducers.avg(pw.this.value),
)
pw.io.csv.write(found, "out.csv")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
