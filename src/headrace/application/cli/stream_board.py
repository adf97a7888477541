"""The live view of a stream: a few lines on a terminal that are drawn over and over, or a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from headrace.application.cli.console import duration, number, paint, printable, size, table
from headrace.application.streams.progress import Progress

#: How often a line is written where there is no terminal, in seconds.
TELL_EVERY = 10.0
_BARS = " ▁▂▃▄▅▆▇█"


@contextmanager
def board(silent: bool) -> Iterator[Callable[[Progress], None] | None]:
    """What shows how a stream stands; None when nobody wants to see it."""
    if silent:
        yield None
        return
    drawn = _Board() if sys.stderr.isatty() else _Teller()
    yield drawn.show
    sys.stderr.flush()


class _Teller:
    """A line now and then."""

    def __init__(self) -> None:
        self.told_at = float("-inf")

    def show(self, progress: Progress) -> None:
        if time.monotonic() - self.told_at >= TELL_EVERY:
            self.told_at = time.monotonic()
            sys.stderr.write(f"  {in_a_line(progress.as_data())}\n")
            sys.stderr.flush()


class _Board:
    """Lines that are drawn over."""

    def __init__(self) -> None:
        self.height = 0
        self.rates: deque[float] = deque(maxlen=40)

    def show(self, progress: Progress) -> None:
        self.rates.append(progress.rate)
        lines = board_lines(progress.as_data(), self.rates)
        back = f"\x1b[{self.height}F\x1b[J" if self.height else ""
        sys.stderr.write(back + "\n".join(lines) + "\n")
        sys.stderr.flush()
        self.height = len(lines)


def in_a_line(data: Mapping[str, Any]) -> str:
    """How a stream stands, in a line."""
    sources: Mapping[str, Mapping[str, Any]] = data["sources"]
    read, held, dead = (sum(s[key] for s in sources.values()) for key in ("read", "quarantined", "dead"))
    lags = [lag for found in data["lag"].values() for lag in found.values() if lag is not None]
    return (
        f"epoch {number(data['epoch'])}: {number(read)} rows read, {number(round(data['rate']))} a second, "
        f"{number(sum(data['written_rows'].values()))} written, {number(held)} held back, {number(dead)} dead letters, "
        f"{number(sum(lags)) if lags else '?'} wait"
    )


def board_lines(data: Mapping[str, Any], rates: Iterator[float] | deque[float] | tuple[float, ...] = ()) -> list[str]:
    """How a stream stands, in a few lines: by source and partition, sink, and step with state."""
    peak = max(rates, default=0) or 1
    curve = "".join(_BARS[round(rate / peak * (len(_BARS) - 1))] for rate in rates)
    state = data["state"]
    weight = sum(step.get("bytes", 0) for step in state.values())
    told = paint("  paused", "yellow") if data["paused"] else ""
    rate = f"{number(round(data['rate']))} rows/s {paint(curve, 'cyan')}"
    lines = [
        f"{paint(printable(data['stream']), 'bold')}  epoch {number(data['epoch'])}  {rate}{told}",
        paint(
            f"  last checkpoint {duration(data['checkpoint_age_seconds'])} ago, in {duration(data['checkpoint_seconds'])}; "
            f"state {size(weight)}, {number(sum(step.get('rows', 0) for step in state.values()))} rows",
            "dim",
        ),
    ]
    head = ("  source", "read", "good", "held back", "late", "dead", "lag", "watermark behind")
    rows = []
    for name, s in data["sources"].items():
        lags = data["lag"].get(name, {})
        known = [lag for lag in lags.values() if lag is not None]
        behind = data["delay_seconds"].get(name)
        shown = "-" if behind is None else duration(max(behind, 0.0))
        cells = (s["read"], s["good"], s["quarantined"], s["late"], s["dead"])
        rows.append((f"  {printable(name)}", *map(number, cells), number(sum(known)) if known else "?", shown))
        if len(lags) > 1:
            rows += [(f"    {printable(p)}", "", "", "", "", "", number(lag), "") for p, lag in sorted(lags.items())]
    lines += table(head, rows, right=range(1, 8))
    for worker in data.get("workers", ()):
        reads = ", ".join(f"{name} {' '.join(partitions)}" for name, partitions in worker["partitions"].items())
        lines.append(paint(f"  with {printable(worker['worker'])}: {number(worker['read'])} rows of {printable(reads)}", "dim"))
    lines += [f"  {printable(name)} ← {number(written)} rows" for name, written in data["written_rows"].items()]
    return lines
