"""The connections of a project, for the commands that list and try them. Nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap.parts import catalog

if TYPE_CHECKING:
    from headrace.business.connections import Profile


def connection(project: Path, name: str) -> Profile[Any]:
    """The connection of that name. Raises `DefinitionError` when there is none, or with every problem of it."""
    from headrace.infrastructure.loading.connections import connections_of

    return connections_of(project, catalog()).find(name)


def connections(project: Path) -> Mapping[str, Profile[Any]]:
    """Every connection, by name. Raises `DefinitionError` with the problems of all."""
    from headrace.infrastructure.loading.connections import connections_of

    return connections_of(project, catalog()).all()
