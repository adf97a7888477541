"""Streams that the tests run: events through a broker into a sink, and what has to be there when all is done, whatever happened on the way."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import yaml

from headrace import bootstrap
from headrace.application.cli.invocation import invoke

#: Seconds of event time, and how far events may come out of order.
WINDOW, DELAY = 10, 2
CONTRACT = {
    "columns": {
        "id": {"type": "int64", "required": True},
        "key": {"type": "string", "required": True, "length": {"max": 8}},
        "value": {"type": "int64", "required": True, "at_least": 0},
        "at": {"type": "timestamptz", "required": True},
    }
}
COUNTED = {
    "name": "counted",
    "aggregate": {
        "by": ["key"],
        "window": {"tumbling": f"{WINDOW} seconds"},
        "measures": {"events": "count(*)", "total": "sum(value)", "highest": "max(value)"},
    },
}


def events(number: int, seed: int = 1, keys: int = 5, every: float = 0.1) -> list[dict[str, Any]]:
    """Events in the order in which they come, out of order within the delay."""
    chance = random.Random(seed)
    found = []
    for i in range(number):
        at = i * every + chance.uniform(-DELAY / 2, 0) + DELAY
        found.append({"id": i, "key": f"k{chance.randrange(keys)}", "value": chance.randrange(100), "at": _instant(at)})
    return found


def last_call(after: float) -> dict[str, Any]:
    """An event that is so late in time that all windows before it close."""
    return {"id": -1, "key": "end", "value": 0, "at": _instant(after)}


def _instant(seconds: float) -> str:
    return time.strftime("2024-01-01T%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def windows(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Of each window and key the number, sum and maximum, reckoned by hand."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        hours, minutes, rest = row["at"][11:-1].split(":")
        second = int(hours) * 3600 + int(minutes) * 60 + int(float(rest))
        start = time.strftime("%H:%M:%S", time.gmtime(second - second % WINDOW))
        found.setdefault((start, row["key"]), []).append(row["value"])
    return {window: (len(values), sum(values), max(values)) for window, values in found.items()}


def publish(url: str, stream: str, rows: Sequence[Mapping[str, Any] | str]) -> None:
    """Add events to a Redis stream, each an entry with the field `payload`; texts go as they are."""
    with redis.Redis.from_url(url) as client, client.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.xadd(stream, {"payload": row if isinstance(row, str) else json.dumps(row)})
        pipe.execute()


@dataclass
class Flow:
    """A project with one stream."""

    folder: Path
    parts: dict[str, Any]
    settings: str = ""
    name: str = "counted"
    runs: int = field(default=0)

    @property
    def file(self) -> Path:
        return self.folder / "pipeline.yaml"

    def write(self) -> Flow:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "headrace.toml").write_text("lease_seconds = 3\n" + self.settings)
        self.file.write_text(yaml.safe_dump({"pipeline": self.name, **self.parts}, sort_keys=False))
        return self

    def start(self, failpoints: str = "", *words: str) -> subprocess.Popen[str]:
        self.runs += 1
        with (self.folder / f"run-{self.runs}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "headrace", *(words or ("run", str(self.file)))],
                stdout=log, stderr=subprocess.STDOUT, text=True, cwd=self.folder,
                env={**os.environ, "NO_COLOR": "1", "HEADRACE_FAILPOINTS": failpoints},
            )  # fmt: skip

    def ask(self, *words: str) -> str:
        """What a command prints, which is carried out here: it is often asked, and a process takes long to begin."""
        with redirect_stdout(io.StringIO()) as printed, chdir(self.folder):
            assert invoke(words, lambda: bootstrap) == 0, words
        return printed.getvalue()

    @property
    def said(self) -> str:
        """What the last run has written."""
        return (self.folder / f"run-{self.runs}.log").read_text()


def wait_until(true: Any, what: str, process: subprocess.Popen[str] | None = None, flow: Flow | None = None) -> None:
    """Look until it is so; patiently, because the machine may be busy."""
    deadline = time.monotonic() + 120
    while not true():
        told = flow.said if flow is not None else ""
        assert process is None or process.poll() is None, f"the stream ended before {what}:\n{told}"
        assert time.monotonic() < deadline, f"waited in vain until {what}\n{told}"
        time.sleep(0.05)
