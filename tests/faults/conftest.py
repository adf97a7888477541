"""A project for each test, with an empty database beside it, and processes that work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.faults.counted import Counted
from tests.faults.processes import Crew, crew

Makes = Callable[..., Counted]


@pytest.fixture
def project(tmp_path: Path, postgres: str) -> Iterator[Makes]:
    """Makes the project of a test."""
    with ExitStack() as opened:

        def made(**options: Any) -> Counted:
            project = Counted(tmp_path / "project", postgres, **options)
            opened.callback(lambda: project.database.close())
            return project

        yield made


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path / "project") as made:
        yield made
