"""Opens the store that keeps the state of a stream: a folder of this machine, or what a connection leads to. Not the stores themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from headrace.business.connections import Profile
from headrace.business.streams.state import StateStore
from headrace.errors import UsageError


def state_store(stream: str, profile: Profile[Any] | None, folder: Path) -> StateStore:
    """The store of one stream. `folder` holds those of all streams that are kept here, each in a folder of its own."""
    if profile is None:
        from headrace.infrastructure.storage.state_folder import FolderStateStore

        return FolderStateStore(_folder_of(folder, stream))
    connection, home = profile.connection, profile.home
    if connection.kind == "postgres":
        from headrace.infrastructure.storage.state_postgres import PostgresStateStore

        return PostgresStateStore(stream, lambda: str(connection.address(home)), connection.shown())
    if connection.kind == "redis":
        from headrace.infrastructure.storage.state_redis import RedisStateStore

        return RedisStateStore(stream, lambda: connection.client(home), connection.shown())
    raise _keeps_none(profile)


def streams_in(profile: Profile[Any] | None, folder: Path) -> Sequence[str]:
    """The names of the streams whose state is kept there."""
    if profile is None:
        return sorted(unquote(path.name) for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
    connection, home = profile.connection, profile.home
    if connection.kind == "postgres":
        from headrace.infrastructure.storage import state_postgres

        return state_postgres.streams(lambda: str(connection.address(home)), connection.shown())
    if connection.kind == "redis":
        from headrace.infrastructure.storage import state_redis

        return state_redis.streams(lambda: connection.client(home), connection.shown())
    raise _keeps_none(profile)


def _keeps_none(profile: Profile[Any]) -> UsageError:
    return UsageError(
        f"`state` names `{profile.name}`, which is of kind `{profile.connection.kind}` and keeps no state",
        hint="name a connection of kind postgres or redis, or take `state` out",
    )


def _folder_of(folder: Path, stream: str) -> Path:
    """Where the state of a stream lies: its name, with what no folder may be named written as in an address."""
    return folder / quote(stream, safe=" ()+,=@").replace(".", "%2E")
