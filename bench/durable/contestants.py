"""Steps that do nothing, one after the other, in whole processes: Headrace and its peers, in turn. Not what those steps could do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import BENCH, DATA, HEADRACE, Cost, measure

#: What a step costs is the difference between a run of so many more steps and one of five, shared out among them.
FEW, MORE = 5, 100
PEERS = {
    "dbos": ("DBOS, SQLite", "dbos_workflow.py"),
    "dagster": ("Dagster, in process", "dagster_job.py"),
    "prefect": ("Prefect, its server started with it", "prefect_flow.py"),
}
SILENT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True)
class Found:
    """A contestant's run of five steps, and the milliseconds of wall and CPU that each further step adds."""

    name: str
    five: Cost
    step_wall: float
    step_cpu: float


def compete(rounds: int) -> list[Found]:
    """Those whose rooms exist, in rounds, so that whatever else the machine does falls on all alike."""
    names = ["headrace", *(name for name in PEERS if (DATA / "venvs" / f"{name}.installed").exists())]
    costs: dict[tuple[str, int], list[Cost]] = {(name, steps): [] for name in names for steps in (FEW, FEW + MORE)}
    for nth in range(rounds + 1):
        for (name, steps), of in costs.items():
            cost = _headrace(steps) if name == "headrace" else _peer(name, steps)
            if nth:  # the first round fills caches, and lets peers make their databases
                of.append(cost)
                print(f"{nth}/{rounds} {name}, {steps} steps: {cost.cpu_seconds:.2f} s CPU", file=sys.stderr)
    return [_found(name, costs[name, FEW], costs[name, FEW + MORE]) for name in names]


def _found(name: str, few: list[Cost], many: list[Cost]) -> Found:
    def a_step(what: str) -> float:
        return (median(getattr(c, what) for c in many) - median(getattr(c, what) for c in few)) / MORE * 1000

    shown = PEERS[name][0] if name in PEERS else "**Headrace**"
    return Found(shown, Cost.median(few), a_step("wall_seconds"), a_step("cpu_seconds"))


def _headrace(steps: int) -> Cost:
    """From nothing: a project without a state database."""
    folder = (DATA / "durable" / f"headrace-{steps}").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chain = "".join(f"  - {{name: step_{nth}, derive: {{x: x}}}}\n" for nth in range(steps))
    (folder / "pipeline.yaml").write_text(
        f"version: 1\npipeline: idle\nsources: {{rows: {{file: {{path: rows.csv}}}}}}\nsteps:\n{chain}sinks: [{{file: {{path: out/}}}}]\n"
    )
    (folder / "rows.csv").write_text("x\n1\n2\n")
    return measure([HEADRACE, "run"], cwd=folder)


def _peer(name: str, steps: int) -> Cost:
    folder = (DATA / "durable" / name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    python: Path = (DATA / "venvs" / name / "bin" / "python").absolute()
    script = BENCH.absolute() / "durable" / "peers" / PEERS[name][1]
    homes = {"PREFECT_HOME": str(folder), "DAGSTER_HOME": str(folder)}
    return measure([python, script, str(steps)], cwd=folder, env=SILENT | homes)
