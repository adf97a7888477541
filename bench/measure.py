"""What a whole process costs: CPU of the user and the system, wall time, peak memory. Each process is measured by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

BENCH = Path(__file__).parent
DATA = BENCH / "data"
PYTHON = Path(sys.executable)
HEADRACE = PYTHON.with_name("headrace")


@dataclass(frozen=True)
class Cost:
    """CPU counts what threads and waited-for children used; the peak is of the largest single process."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float

    @classmethod
    def median(cls, costs: Sequence[Cost]) -> Cost:
        return cls(
            median(c.cpu_seconds for c in costs), median(c.wall_seconds for c in costs), median(c.peak_mb for c in costs)
        )


def measure(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end. Its words go to a log that is shown if it fails."""
    DATA.mkdir(parents=True, exist_ok=True)
    log = DATA / "last.log"
    with log.open("wb") as words:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env={**surroundings(), **(env or {})}, stdout=words, stderr=words
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def surroundings() -> dict[str, str]:
    """The environment as users have it: Python keeps what it has compiled, so a second start is quicker than the first."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well in a terminal: the first column to the left, figures to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(cells)]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(("-" * (w + 2)) if i == 0 else ("-" * (w + 1) + ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def keep(name: str, figures: Mapping[str, Any], markdown: str) -> None:
    """Print a table and keep it, with the single figures behind it, under `bench/results/`."""
    results = BENCH / "results"
    results.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    plain = json.dumps(figures, indent=2, default=lambda value: asdict(value) if isinstance(value, Cost) else str(value))
    (results / f"{name}-{stamp}.json").write_text(plain)
    (results / f"{name}.md").write_text(markdown + "\n")
    print(markdown)
