"""Opens the store that keeps the state of a stream: a folder of this machine, or what a connection leads to. Not the stores themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from headrace.business.connections import Profile
from headrace.business.streams.state import StateStore
from headrace.errors import UsageError


def state_store(stream: str, profile: Profile[Any] | None, folder: Path) -> StateStore:
    """The store of one stream. `folder` holds those of all streams that are kept here, each in a folder of its own."""
    from headrace.infrastructure.storage.state_folder import FolderStateStore

    if profile is None:
        return FolderStateStore(stream_folder(folder, stream))
    raise UsageError(
        f"`state` names `{profile.name}`, which is of kind `{profile.connection.kind}` and keeps no state",
        hint="name a connection of kind postgres or redis, or take `state` out",
    )


def stream_folder(folder: Path, stream: str) -> Path:
    """Where the state of a stream lies: its name, with what no folder may be named written as in an address."""
    return folder / quote(stream, safe=" ()+,=@")
