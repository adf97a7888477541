"""Pathway: JSON lines of a file, counted and averaged by key in windows of ten seconds. Nothing is judged."""

from datetime import timedelta

import pathway as pw


class Event(pw.Schema):
    key: str
    value: int
    at: str


events = pw.io.jsonlines.read("events.ndjson", schema=Event, mode="static")
timed = events.select(pw.this.key, pw.this.value, at=pw.this.at.dt.strptime("%Y-%m-%dT%H:%M:%S.%f%z"))
windows = timed.windowby(pw.this.at, window=pw.temporal.tumbling(timedelta(seconds=10)), instance=pw.this.key)
found = windows.reduce(
    window=pw.this._pw_window_start, key=pw.this._pw_instance, events=pw.reducers.count(), mean=pw.reducers.avg(pw.this.value)
)
pw.io.csv.write(found, "out.csv")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
