"""What `headrace clean` looks through: the state folder, and the databases in which engines of the project stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap import parts

if TYPE_CHECKING:
    from headrace.business.engine import Litter


def clean(project: Path, *, pretend: bool = False) -> Sequence[Litter]:
    """Remove what dead runs left and nobody can go on with; or, to `pretend`, only say what that is."""
    from headrace.business.engine import KeepsTables
    from headrace.infrastructure.storage.litter import sweep_folder

    home = parts.state_home(project)
    chosen, state = parts.settings(home), parts.state_folder(home)
    found: list[Litter] = []
    if state.is_dir():
        outstanding = {run.run_id for run in parts.site(project).queue.outstanding()}
        found += sweep_folder(state, outstanding, pretend=pretend)
    for name, there in (("postgres", chosen.postgres), ("snowflake", chosen.snowflake)):
        engine = None if there is None else parts.engine(chosen, name, home)
        if isinstance(engine, KeepsTables):
            found += engine.sweep(pretend=pretend)
    return found
