"""What the source and the sink `file` ask of stores while a definition is read: whether paths are addresses, and what leads there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.connections import Profile
from headrace.infrastructure.connectors.stores.addresses import Address, is_address, parse
from headrace.infrastructure.connectors.stores.connection import StoreConnection, kind_of

if TYPE_CHECKING:
    from headrace.infrastructure.connectors.stores.store import Store

#: The kinds of stores that know conditional requests, all that can be published to, and how the addresses of these begin.
CONDITIONAL = frozenset({"s3", "gcs", "azure"})
WRITABLE = CONDITIONAL | {"hdfs", "sftp", "webhdfs"}
PUBLISHED = ("s3://", "gs://", "az://", "sftp://", "hdfs://", "webhdfs://")

__all__ = [
    "CONDITIONAL",
    "PUBLISHED",
    "WRITABLE",
    "StoreConnection",
    "in_store",
    "opened",
    "problem_with_address",
    "problem_with_connection",
]


def in_store(paths: Sequence[str]) -> list[Address]:
    """The addresses that the paths are; none when they are paths of this machine."""
    return [parse(path) for path in paths if is_address(path)]


def problem_with_address(path: str) -> str | None:
    """What is wrong with a path as an address; None also when it is none."""
    if not is_address(path):
        return None
    try:
        parse(path)
    except ValueError as error:
        return str(error)
    return None


def problem_with_connection(paths: Sequence[str], connection: Profile[StoreConnection] | None) -> str | None:
    """What keeps these paths from being reached together, and by this connection."""
    addresses = in_store(paths)
    if not addresses:
        return None if connection is None else "`connection` means nothing for files of this machine"
    if len(addresses) < len(paths) or len({address.store for address in addresses}) > 1:
        return "all paths of a source lie in one store: read the others as a source of their own"
    kind = addresses[0].kind
    if connection is not None and connection.connection.kind != kind:
        return (
            f"`{addresses[0]}` is reached by a connection of kind `{kind}`, and `{connection.name}` is of kind "
            f"`{connection.connection.kind}`"
        )
    return None


def opened(address: Address, connection: Profile[StoreConnection] | None, project: Path) -> Store:
    """The store of an address, by the connection that is named, or by what the environment says."""
    if connection is not None:
        return connection.connection.open(connection.home, address)
    return kind_of(address)().open(project, address)
