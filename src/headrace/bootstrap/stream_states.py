"""Opens what is kept of streams, for the commands that show it and remove it. Nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap.connecting import connection
from headrace.bootstrap.parts import state_folder
from headrace.errors import UsageError

if TYPE_CHECKING:
    from headrace.business.streams.state import StateStore


def stores(project: Path, shared: str | None = None) -> Mapping[str, StateStore]:
    """The store of each stream that keeps its state in the state folder, or behind the connection of that name; by the stream's name."""
    from headrace.infrastructure.storage.state_stores import state_store, streams_in

    profile = None if shared is None else connection(project, shared)
    folder = state_folder(project) / "streams"
    return {name: state_store(name, profile, folder) for name in streams_in(profile, folder)}


def remove(project: Path, stream: str, shared: str | None = None) -> None:
    """Forget all that is kept of a stream, and who may save. Its sinks keep what they have, with the number of the last epoch."""
    from headrace.business.model.schema import did_you_mean

    found = stores(project, shared)
    if stream not in found:
        raise UsageError(f"no state of the stream `{stream}` is kept", hint=did_you_mean(stream, found))
    found[stream].remove()
    for store in found.values():
        store.close()
