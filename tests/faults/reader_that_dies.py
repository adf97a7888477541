"""A process that reads messages for ever: each poll is one line of a file, durable before it is acknowledged. To be killed at any time.

    python reader_that_dies.py SOURCE OPTIONS FILE

It goes on behind the last whole line, as a stream goes on behind its last checkpoint.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.conformance.brokers.bytes_format import UNREAD

from headrace.business.connections import Profile
from headrace.business.streams.messages import Sharing
from headrace.errors import RetryableError
from headrace.infrastructure.catalog import Catalog


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The whole lines. What a killed process has left of the next one is no line."""
    whole, _, _ = file.read_bytes().rpartition(b"\n") if file.exists() else (b"", b"", b"")
    return [json.loads(line) for line in whole.splitlines()]


def main(kind: str, options: str, path: str) -> None:
    given: dict[str, Any] = json.loads(options)
    if "connection" in given:
        connection: Any = Catalog().find("connections", kind).model_validate(given["connection"])
        given["connection"] = Profile("broker", connection)
    source: Any = Catalog().source(kind).model_validate({**given, "format": UNREAD})
    file = Path(path)
    done = lines_of(file)
    file.write_text("".join(json.dumps(line) + "\n" for line in done))
    feed = source.feed(Path(), Sharing("dies"), done[-1]["last"] if done and source.replayable else {})
    with file.open("a") as out:
        while True:
            try:
                for messages in feed.poll(37, 0.2):
                    last = {messages.partition: messages.last}
                    out.write(
                        json.dumps({"payloads": [p.decode() for p in messages.payloads.to_pylist()], "last": last}) + "\n"
                    )
                    out.flush()
                    os.fsync(out.fileno())
                    feed.acknowledge(last)
            except RetryableError:
                continue


if __name__ == "__main__":
    main(*sys.argv[1:])
