"""What a project keeps of its runs goes together: events, and what their processes have printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.runs.project import Project

from headrace import bootstrap


def printed(project: Project, run_id: str) -> Path:
    log = project.folder / ".headrace" / "logs" / f"{run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("words\n")
    return log


def test_the_log_of_a_run_goes_with_its_events(project: Project) -> None:
    project.data("in.csv", ["x"], [[1]])
    log = printed(project, project.one().run().id)
    assert bootstrap.prune(project.folder, datetime.now(UTC) + timedelta(days=89)).events == 0
    assert log.exists()
    pruned = bootstrap.prune(project.folder, datetime.now(UTC) + timedelta(days=91))
    assert (pruned.events > 0, pruned.definitions, log.exists()) == (True, 1, False)


def test_the_log_of_a_run_that_goes_on_stays(project: Project) -> None:
    project.data("in.csv", ["x"], [[1]])
    project.one()
    assert project.cli("run", str(project.file), "--detach") == 0
    (waiting,) = bootstrap.site(project.folder).queue.outstanding()
    log = printed(project, waiting.run_id)
    assert bootstrap.prune(project.folder, datetime.now(UTC) + timedelta(days=900)).definitions == 0
    assert log.exists()
