"""Draws what the stream has published so far, over and over: how late planes left each airport, in windows of ten minutes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
#: What the highest bar stands for, in minutes.
FULL = 60.0

Row = Mapping[str, Any]


def watch(rows: Callable[[], Sequence[Row]], stopping: threading.Event) -> None:
    """Draw until told to stop; on a terminal in place, elsewhere a line now and then."""
    height = 0
    while not stopping.wait(0.5 if sys.stdout.isatty() else 3.0):
        found = rows()
        if not found:
            continue
        lines = list(drawn(found)) if sys.stdout.isatty() else [in_a_line(found)]
        if sys.stdout.isatty() and height:
            sys.stdout.write(f"\x1b[{height}F\x1b[J")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        height = len(lines)


def drawn(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each airport: the mean delay of its latest windows, and the last of them in numbers."""
    newest = max(row["window_start"] for row in rows)
    yield f"  Mean delay at departure, in windows of ten minutes, up to {newest:%d %B %Y %H:%M} UTC"
    for airport in sorted({row["origin"] for row in rows}):
        own = sorted((row for row in rows if row["origin"] == airport), key=lambda row: row["window_start"])
        last = own[-1]
        bars = "".join(_bar(row["mean_delay"]) for row in own[-WIDTH:])
        told = "  -  " if last["mean_delay"] is None else f"{last['mean_delay']:+5.0f}"
        yield f"  {airport}  {bars:<{WIDTH}}  {told} min, {last['departures']} left, {last['cancelled']} cancelled"


def in_a_line(rows: Sequence[Row]) -> str:
    newest = max(row["window_start"] for row in rows)
    flights = sum(row["departures"] + row["cancelled"] for row in rows)
    return f"  up to {newest:%Y-%m-%d %H:%M} UTC: {len(rows)} windows, {flights} flights"


def _bar(delay: float | None) -> str:
    if delay is None:
        return "·"
    return BARS[min(int(max(delay, 0.0) / FULL * len(BARS)), len(BARS) - 1)]
