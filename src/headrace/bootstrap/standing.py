"""Composes what commands ask about besides runs: definitions at rest, pauses, backfills, the soundness of the log, who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap import parts
from headrace.errors import DefinitionError

if TYPE_CHECKING:
    from headrace.application.orchestrator.backfills import Backfills
    from headrace.application.orchestrator.pauses import Pauses
    from headrace.bus.chain import Verified
    from headrace.business.model.definition import Loaded


def definitions(project: Path) -> Sequence[tuple[Path, Loaded | DefinitionError]]:
    """The definitions in the folder that the settings name, the broken ones too."""
    from headrace.infrastructure.definition_folder import definitions_in

    return list(definitions_in(parts.state_home(project) / parts.settings(project).definitions, parts.catalog()))


def pauses(project: Path) -> Pauses:
    """What holds schedules up."""
    from headrace.infrastructure.storage.pause_list import DatabasePauses

    return DatabasePauses(parts.database(project))


def backfills(project: Path) -> Backfills:
    """The backfills that were asked for."""
    from headrace.infrastructure.storage.backfill_register import DatabaseBackfills

    return DatabaseBackfills(parts.database(project))


def verify_log(project: Path) -> Verified:
    """Whether the log of what happened is as it was written."""
    from headrace.infrastructure.storage.event_log import EventLog

    return EventLog(parts.database(project)).verify()


def user() -> str:
    """Who asks."""
    from headrace.infrastructure.storage.processes import this_user

    return this_user()
