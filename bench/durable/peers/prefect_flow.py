"""Prefect: STEPS tasks that do nothing, one after the other, in a flow; its own server is started and stopped by the process."""

import sys

from prefect import flow, task


@task
def step(x: int) -> int:
    return x + 1


@flow
def pipeline(steps: int) -> int:
    x = 0
    for _ in range(steps):
        x = step(x)
    return x


if __name__ == "__main__":
    steps = int(sys.argv[1])
    assert pipeline(steps) == steps
