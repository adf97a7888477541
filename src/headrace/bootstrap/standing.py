"""Composes what commands ask about besides runs: definitions at rest, pauses, backfills, the soundness of the log, who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap import parts
from headrace.errors import DefinitionError

if TYPE_CHECKING:
    from headrace.application.orchestrator.backfills import Backfills
    from headrace.application.orchestrator.in_service import InService
    from headrace.application.orchestrator.pauses import Pauses
    from headrace.application.orchestrator.queue import KeptDefinition
    from headrace.bus.chain import Verified
    from headrace.business.model.definition import Loaded
    from headrace.business.streams.dead_letters import DeadLetters


def definitions(project: Path) -> Sequence[tuple[Path, Loaded | DefinitionError]]:
    """The definitions in the folder that the settings name, the broken ones too."""
    from headrace.infrastructure.definition_folder import definitions_in

    return list(definitions_in(parts.state_home(project) / parts.settings(project).definitions, parts.catalog()))


def in_service(project: Path) -> Sequence[tuple[InService, Loaded | DefinitionError | None]]:
    """The files that a serving process has seen, with the version of each that it holds; None where no version was ever fit."""
    from headrace.infrastructure.storage.service_records import DatabaseServiceRecords

    records = DatabaseServiceRecords(parts.database(project))
    return [(file, _held(records.kept(file.definition))) for file in records.all()]


def _held(kept: KeptDefinition | None) -> Loaded | DefinitionError | None:
    if kept is None:
        return None
    try:
        return parts.load_kept(kept, {}, stand_ins=True)
    except DefinitionError as error:  # what it was fit with is not installed any more, say
        return error


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


def dead_letters(project: Path) -> Sequence[tuple[str, str, DeadLetters]]:
    """What streams could not read, by stream and source."""
    return parts.kept_by_streams(project).all_dead_letters()
