"""How cost grows: ten times the rows, and a file ten times larger than the memory a run may use.

python bench/scale.py                    # 0.5 and 5 million rows: a minute
python bench/scale.py --gigabytes 10     # 10 GB of CSV with `memory_limit: 1GB`: needs 30 GB of disk and half an hour
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

from measure import BENCH, DATA, HEADRACE, PYTHON, Cost, keep, measure, table

BYTES_PER_ROW = 128.5
SETTINGS = 'memory_limit = "{limit}"\n'


def data(rows: int) -> Path:
    path = (DATA / f"lineitem-{rows}.csv").absolute()
    if not path.with_suffix(".json").exists():
        subprocess.run([PYTHON, BENCH / "lineitem" / "generate.py", "--rows", str(rows), "--out", path], check=True)
    return path


def run(rows: int, limit: str | None = None) -> Cost:
    folder = (DATA / "out" / "scale").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(BENCH / "lineitem" / "pipeline.yaml", folder / "pipeline.yaml")
    if limit:
        (folder / "headrace.toml").write_text(SETTINGS.format(limit=limit))
    cost = measure([HEADRACE, "run", folder / "pipeline.yaml", "--param", f"data={data(rows)}"], cwd=folder)
    shutil.rmtree(folder)
    return cost


def row(label: str, rows: int, cost: Cost, base: Cost | None = None) -> list[str]:
    times = f"{cost.cpu_seconds / base.cpu_seconds:.1f}" if base else ""
    figures = [f"{cost.cpu_seconds:.1f}", times, f"{cost.wall_seconds:.1f}", f"{cost.peak_mb:,.0f}"]
    return [label, f"{rows:,}", *figures, f"{rows / cost.cpu_seconds:,.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--gigabytes", type=float, help="one run on so much CSV, within --memory")
    parser.add_argument("--memory", default="1GB")
    options = parser.parse_args()
    header = ["", "rows", "CPU s", "times", "wall s", "peak MB", "rows per CPU s"]
    if options.gigabytes:
        rows = round(options.gigabytes * 1e9 / BYTES_PER_ROW / 1000) * 1000
        cost = run(rows, options.memory)
        label = f"{data(rows).stat().st_size / 1e9:.1f} GB within {options.memory}"
        keep("larger-than-memory", {"rows": rows, "cost": cost}, table(header, [row(label, rows, cost)]))
        return
    small, large = options.rows, options.rows * 10
    run(small)
    costs = {rows: run(rows) for rows in (small, large)}
    lines = [row("the rows", small, costs[small]), row("ten times the rows", large, costs[large], costs[small])]
    keep("scale", {"costs": costs}, table(header, lines))


if __name__ == "__main__":
    main()
