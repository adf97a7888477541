"""DBOS: STEPS steps that do nothing, one after the other, in a workflow that is kept on SQLite."""

import sys

from dbos import DBOS


@DBOS.step()
def step(x: int) -> int:
    return x + 1


@DBOS.workflow()
def pipeline(steps: int) -> int:
    x = 0
    for _ in range(steps):
        x = step(x)
    return x


if __name__ == "__main__":
    DBOS(config={"name": "bench", "system_database_url": "sqlite:///dbos.sqlite", "run_admin_server": False})
    DBOS.launch()
    steps = int(sys.argv[1])
    assert pipeline(steps) == steps
    DBOS.destroy()
