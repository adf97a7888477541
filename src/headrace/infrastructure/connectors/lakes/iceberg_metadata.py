"""Iceberg tables without a catalog, to be read alone: by the file with their metadata, here or in an S3 store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.connections import Connection, Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.lakes.iceberg_connection import placed, store_properties
from headrace.infrastructure.connectors.lakes.iceberg_faults import iceberg_faults

if TYPE_CHECKING:
    from pyiceberg.table import Table

METADATA = (
    "The file with the metadata of one state, .../metadata/00003-....metadata.json, or a table's folder that has a version-hint.text; "
    "of this machine or s3://; instead of `table`"
)


def static_table(path: str, connection: Profile[Connection] | None, project: Path) -> Table:
    from pyiceberg.table import StaticTable

    reached: Any = connection.connection if connection else None
    keys = [getattr(reached, name, None) for name in ("access_key", "secret_key", "session_token")]
    revealed = (key.reveal() if key else None for key in keys)
    properties = store_properties(getattr(reached, "endpoint", None), getattr(reached, "region", None), *revealed)
    with iceberg_faults(path):
        try:
            return StaticTable.from_metadata(placed(path, project).rstrip("/"), properties)
        except FileNotFoundError as error:
            raise NonRetryableError(
                f"`{path}` is no Iceberg table that can be found without its catalog",
                hint="name the newest file that ends in `.metadata.json`, or the table by its catalog",
            ) from error
