"""Sessions of the engine for tests of steps and checks: everything read and prepared, and gone afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace import bootstrap
from headrace.business.engine import QuarantineTarget, Session
from headrace.business.model.definition import Loaded
from headrace.business.model.plugin import Plugin
from headrace.testing.stand_ins import RowsSource, written


def files_of(project: Path, **inputs: RowsSource) -> dict[str, Plugin]:
    """The rows at rest, where an engine reads them by itself."""
    file = bootstrap.catalog().source("file")
    return {
        name: file.model_validate({"path": str(written(rows, project / ".kit" / "inputs" / f"{name}.parquet"))})
        for name, rows in inputs.items()
    }


@contextmanager
def session_of(loaded: Loaded, project: Path) -> Iterator[Session]:
    """A session of the engine with all sources read and everything prepared."""
    plan = bootstrap.plan(loaded)
    work = project / ".kit"
    session = bootstrap.site(project).engine(plan.definition.engine).session(plan, work / "session", project)
    try:
        for source in plan.sources:
            session.ingest(source, QuarantineTarget(work / "held.parquet", "kit", "kit"), after=None, progress=unwatched)
        session.prepare(unwatched)
        yield session
    finally:
        session.close()
        shutil.rmtree(work / "session", ignore_errors=True)


def unwatched(_share: float | None) -> None:
    """Nobody watches how far it is."""
