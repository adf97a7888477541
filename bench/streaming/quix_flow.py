"""Quix Streams: messages of a topic, counted and averaged by key in windows of ten seconds. Nothing is judged."""

import os
from datetime import datetime

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Mean


def happened(row, _headers, _timestamp, _kind):
    return int(datetime.fromisoformat(row["at"]).timestamp() * 1000)


app = Application(
    broker_address=os.environ["BROKER"],
    consumer_group="counted",
    auto_offset_reset="earliest",
    use_changelog_topics=False,
    state_dir="state",
    loglevel="ERROR",
)
events = app.dataframe(app.topic("events", value_deserializer="json", timestamp_extractor=happened))
windows = (
    events.tumbling_window(10_000, grace_ms=1_000).agg(events=Count(), mean=Mean("value")).final(closing_strategy="partition")
)
with open("out.csv", "w") as out:

    def written(window, key, _timestamp, _headers):
        out.write(f"{datetime.fromtimestamp(window['start'] / 1000)},{key.decode()},{window['events']},{window['mean']}\n")

    windows.update(written, metadata=True)
    app.run(timeout=10.0)
