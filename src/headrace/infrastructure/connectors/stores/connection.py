"""What a connection to a store has in common, whatever its kind, and the one that is used where none is named."""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.connections import Connection
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.store import Store

_KINDS = {
    "s3": "object_connections:S3Connection", "gcs": "object_connections:GCSConnection", "azure": "object_connections:AzureConnection",
    "http": "http_connection:HttpConnection", "sftp": "sftp_connection:SftpConnection", "hdfs": "hdfs_connection:HdfsConnection",
    "webhdfs": "webhdfs_connection:WebHdfsConnection",
}  # fmt: skip


class StoreConnection(Connection):
    """A store of files."""

    kind: ClassVar[str] = "store"

    timeout: Annotated[float, Field(ge=1, le=3600)] = Field(30.0, description="How many seconds one request may take")

    @abstractmethod
    def open(self, home: Path, address: Address) -> Store:
        """The store that an address of this kind is in. It connects when it is asked for something."""


def kind_of(address: Address) -> type[StoreConnection]:
    """The kind of connection that leads to an address."""
    module, _, name = _KINDS[address.kind].partition(":")
    found: type[StoreConnection] = getattr(import_module(f"headrace.infrastructure.connectors.stores.{module}"), name)
    return found


def certificates(home: Path, ca: str | None) -> bytes | None:
    """The certificates of those who vouch for a server, by the name of their file."""
    if ca is None:
        return None
    path = (home / ca).resolve()
    try:
        return path.read_bytes()
    except OSError as error:
        raise NonRetryableError(
            f"the file for `ca` cannot be read: {path} ({error.strerror})", hint="mend `ca` of the connection"
        ) from None
