"""What small things cost: steps that do nothing, a tiny pipeline, `--help`, a definition of 200 steps, 1,000 rules on one table. Whole processes.

python bench/small.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import DATA, HEADRACE, PYTHON, Cost, keep, measure, table

TINY = """\
version: 1
pipeline: tiny
sources:
  orders:
    file: {path: orders.csv}
    contract:
      columns:
        id: {type: int64, required: true}
        amount: {type: "decimal(10, 2)", above: 0}
        day: {type: date}
      key: [id]
steps:
  - filter: amount < 1000
  - derive: {net: amount * 0.8, month: month(day)}
  - select: [id, net, month]
  - rename: {net: net_amount}
  - sort: [id]
checks:
  - row_count: {min: 1}
sinks:
  - file: {path: out/}
"""

#: Five steps that do next to nothing: what is left is the price of starting, planning, running and telling.
TRIVIAL = """\
version: 1
pipeline: trivial
sources:
  rows:
    file: {path: rows.csv}
steps:
  - filter: x >= 0
  - derive: {y: x}
  - select: [x, y]
  - rename: {y: z}
  - limit: 100
sinks:
  - file: {path: out/}
"""

WIDE_COLUMNS, WIDE_ROWS, RULES_PER_COLUMN = 50, 100_000, 20


def project(name: str, definition: str) -> Path:
    folder = DATA / "small" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(definition)
    return folder


def tiny() -> Path:
    folder = project("tiny", TINY)
    lines = [f"{i},{i}.50,2024-01-{1 + i % 28:02d}" for i in range(1, 21)]
    (folder / "orders.csv").write_text("\n".join(["id,amount,day", *lines, "21,-1,2024-02-30"]) + "\n")
    return folder


def trivial() -> Path:
    folder = project("trivial", TRIVIAL)
    (folder / "rows.csv").write_text("x\n1\n2\n")
    return folder


def long(steps: int = 200) -> Path:
    """A chain of steps, each of which uses what the one before it derived."""
    chain = "\n".join(f"  - {{name: step_{i}, derive: {{x{i}: x{i - 1} + 1}}}}" for i in range(1, steps + 1))
    columns = "{x0: {type: int64, required: true}}"
    head = (
        f"version: 1\npipeline: long\nsources:\n  rows:\n    file: {{path: rows.csv}}\n    contract: {{columns: {columns}}}\n"
    )
    folder = project("long", f"{head}steps:\n{chain}\nsinks:\n  - file: {{path: out/}}\n")
    (folder / "rows.csv").write_text("x0\n1\n2\n")
    return folder


def wide() -> Path:
    """One table with a thousand rules; a row in a hundred breaks one."""
    names = [f"c{i}" for i in range(WIDE_COLUMNS)]
    columns = "\n".join(f"        {name}: {{type: int32}}" for name in names)
    rules = "\n".join(f"        rule_{name}_{j}: {name} + {j} < {1_000 + j}" for name in names for j in range(RULES_PER_COLUMN))
    contract = f"    contract:\n      columns:\n{columns}\n      rules:\n{rules}\n"
    folder = project(
        "wide",
        f"version: 1\npipeline: wide\nsources:\n  rows:\n    file: {{path: rows.csv}}\n{contract}sinks:\n  - file: {{path: out/}}\n",
    )
    with (folder / "rows.csv").open("w") as text:
        text.write(",".join(names) + "\n")
        for i in range(WIDE_ROWS):
            cells = [str((i * 7 + j) % 900) for j in range(WIDE_COLUMNS)]
            if i % 100 == 0:
                cells[i // 100 % WIDE_COLUMNS] = "5000"
            text.write(",".join(cells) + "\n")
    return folder


def median(command: list[str | Path], folder: Path, rounds: int) -> Cost:
    def once() -> Cost:
        for made in ("out", ".headrace"):
            shutil.rmtree(folder / made, ignore_errors=True)
        return measure(command, cwd=folder)

    once()
    return Cost.median([once() for _ in range(rounds)])


def scans(folder: Path) -> int:
    """How often the statements of a plan read the file."""
    plan = subprocess.run([HEADRACE, "plan", "--json"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return sum(statement["sql"].count("rows.csv") for statement in json.loads(plan)["statements"])


def rows(rounds: int) -> Iterator[tuple[str, str, str]]:
    folder = tiny()
    bare = median([PYTHON, "-c", "pass"], folder, rounds)
    yield "an empty Python process, for comparison", f"{bare.cpu_seconds:.2f} s", ""
    cost = median([HEADRACE, "--help"], folder, rounds)
    yield "`headrace --help`", f"{cost.cpu_seconds:.2f} s", "0.2 s"
    cost = median([HEADRACE, "run"], trivial(), rounds)
    yield "five steps that do nothing: run", f"{cost.cpu_seconds:.2f} s", "0.5 s"
    cost = median([HEADRACE, "run"], folder, rounds)
    yield "a pipeline of one tiny file: contract, five steps, audit, publish", f"{cost.cpu_seconds:.2f} s", "0.6 s"
    cost = median([HEADRACE, "plan"], long(), rounds)
    yield "200 steps: load, check, plan, print the SQL", f"{cost.cpu_seconds:.2f} s", "1 s"
    folder = wide()
    cost = median([HEADRACE, "plan"], folder, rounds)
    yield "1,000 rules on one table: load, check, plan", f"{cost.cpu_seconds:.2f} s", ""
    cost = median([HEADRACE, "run"], folder, rounds)
    yield f"1,000 rules on {WIDE_ROWS:,} rows of {WIDE_COLUMNS} columns: run", f"{cost.cpu_seconds:.2f} s", ""
    yield "the same: scans of the file", str(scans(folder)), "1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    found = []
    for row in rows(parser.parse_args().rounds):
        print(*row, sep="\t", file=sys.stderr)
        found.append(row)
    keep("small", {name: value for name, value, _ in found}, table(["", "CPU", "at most"], found))


if __name__ == "__main__":
    main()
