"""The main work, side by side: Headrace and its peers do the same to the same file, in turn, each as a process of its own.

python bench/run.py                              # all contestants whose rooms exist (`make bench-peers`), 2 million rows
python bench/run.py --only headrace,hand-sql --rounds 5
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from measure import BENCH, DATA, HEADRACE, PYTHON, Cost, keep, measure, table

SCRIPTS = BENCH / "lineitem"
SILENT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "GX_ANALYTICS_ENABLED": "false"}
Command = list[str | Path]


def room(name: str) -> Path:
    return DATA / "venvs" / name / "bin" / "python"


def headrace(data: Path, out: Path) -> Command:
    """From nothing: the definition in an empty project folder, no earlier runs."""
    shutil.copy(SCRIPTS / "pipeline.yaml", out / "pipeline.yaml")
    return [HEADRACE, "run", out / "pipeline.yaml", "--param", f"data={data}"]


def script(python: Path, name: str, *options: str) -> Callable[[Path, Path], Command]:
    return lambda data, out: [python, SCRIPTS / name, data, out, *options]


CONTESTANTS: dict[str, tuple[str, Path, Callable[[Path, Path], Command]]] = {
    "hand-sql": ("DuckDB SQL by hand", PYTHON, script(PYTHON, "hand_sql.py")),
    "strict-sql": ("DuckDB SQL by hand, casts as strict as ours", PYTHON, script(PYTHON, "hand_sql.py", "--strict")),
    "headrace": ("**Headrace**", HEADRACE, headrace),
    "polars": ("Polars + dataframely by hand", room("polars"), script(room("polars"), "polars_dataframely.py")),
    "pandera": ("pandas + Pandera", room("pandera"), script(room("pandera"), "pandas_pandera.py")),
    "dlt": ("dlt + Great Expectations", room("dlt"), script(room("dlt"), "dlt_gx.py")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="sound rows; 3 %% more come as duplicates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=f"of {', '.join(CONTESTANTS)}")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [n for n, (_, tool, _) in CONTESTANTS.items() if tool.exists()]
    if missing := [name for name in names if name not in CONTESTANTS]:
        raise SystemExit(f"there is no {missing[0]}; there are {', '.join(CONTESTANTS)}")
    data = (DATA / f"lineitem-{options.rows}.csv").absolute()
    if not data.with_suffix(".json").exists():
        print(f"making {data.name} ...", file=sys.stderr)
        subprocess.run([PYTHON, SCRIPTS / "generate.py", "--rows", str(options.rows), "--out", data], check=True)
    costs = compete(names, data, options.rounds)
    keep("lineitem", {"rows": options.rows, "costs": costs}, report(costs))


def compete(names: list[str], data: Path, rounds: int) -> dict[str, list[Cost]]:
    """Rounds in turn, so that whatever else the machine does falls on all alike. The outputs of the first are compared."""
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for nth in range(rounds):
        for name in names:
            out = (DATA / "out" / name).absolute()
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            _, _, command = CONTESTANTS[name]
            cost = measure(command(data, out), cwd=out, env=SILENT)
            costs[name].append(cost)
            print(f"{nth + 1}/{rounds} {name}: {cost.cpu_seconds:.2f} s CPU, {cost.peak_mb:,.0f} MB", file=sys.stderr)
        if nth == 0:
            compare(names)
    return costs


def compare(names: list[str]) -> None:
    """In a process of its own, because the memory of whoever starts a process counts into its peak."""
    folders = [DATA / "out" / name for name in names]
    subprocess.run([PYTHON, SCRIPTS / "outputs.py", *folders], check=True, stdout=sys.stderr)


def report(costs: dict[str, list[Cost]]) -> str:
    medians = {name: Cost.median(of) for name, of in costs.items()}
    base = medians.get("hand-sql")

    def row(name: str, cost: Cost) -> list[str]:
        times = f"{cost.cpu_seconds / base.cpu_seconds:.2f}" if base else "-"
        memory = f"{cost.peak_mb / base.peak_mb:.2f}" if base else "-"
        figures = [f"{cost.cpu_seconds:.1f}", times, f"{cost.wall_seconds:.1f}", f"{cost.peak_mb:,.0f}", memory]
        return [CONTESTANTS[name][0], *figures]

    ordered = sorted(medians.items(), key=lambda item: item[1].cpu_seconds)
    header = ["", "CPU s", "times by hand", "wall s", "peak MB", "times by hand"]
    return table(header, [row(name, cost) for name, cost in ordered])


if __name__ == "__main__":
    main()
