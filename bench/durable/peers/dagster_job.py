"""Dagster: STEPS ops that do nothing, one after the other, in a job that is executed in this process and kept on its instance."""

import os
import sys
from pathlib import Path

from dagster import DagsterInstance, In, job, op


@op
def first() -> int:
    return 1


@op(ins={"x": In(int)})
def step(x: int) -> int:
    return x + 1


@job
def pipeline() -> None:
    x = first()
    for nth in range(1, int(sys.argv[1])):
        x = step.alias(f"step_{nth}")(x)


if __name__ == "__main__":
    home = Path(os.environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with DagsterInstance.get() as instance:
        assert pipeline.execute_in_process(instance=instance).success
