"""What the source and the sink `iceberg` have in common: which catalog holds the table. Not the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.connections import Profile
from headrace.infrastructure.connectors.lakes.iceberg_connection import IcebergConnection
from headrace.infrastructure.connectors.lakes.iceberg_faults import iceberg_faults
from headrace.infrastructure.connectors.publishing import shown_path
from headrace.records import record

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

#: The file of a warehouse in a folder that is its catalog.
CATALOG = "catalog.sqlite"

TABLE = "The table with its namespace: sales.orders"
WAREHOUSE = f"A folder that holds tables and, as an SQLite file `{CATALOG}`, their catalog; or give `connection`"
CONNECTION = "The name of a connection of kind `iceberg` in headrace.toml: a catalog by REST or in a database"


def problem_with(table: str, warehouse: str | None, connection: Profile[IcebergConnection] | None) -> str | None:
    """What keeps a table from being there."""
    if (warehouse is None) == (connection is None):
        return "give either `connection` or `warehouse`" + ("" if connection is None else ", not both")
    if "\0" in table or not all(table.split(".")) or "." not in table:
        return f"`{table}` is not the name of a table: write `namespace.table`"
    if warehouse is not None and ("://" in warehouse or "\0" in warehouse):
        return "`warehouse` is a folder of this machine; tables in a store are reached by a `connection` of kind `iceberg`"
    return None


@record
class IcebergPlace:
    """A table in a catalog."""

    table: str
    warehouse: str | None
    connection: Profile[IcebergConnection] | None
    project: Path

    @property
    def shown(self) -> str:
        if self.connection is not None:
            return f"{self.connection.connection.shown()} ({self.table})"
        return f"{shown_path(self.project, str(self.warehouse))} ({self.table})"

    def exists(self) -> bool:
        """Whether there can be a table: asking must not make a catalog."""
        return self.warehouse is None or (self.project / self.warehouse / CATALOG).exists()

    def catalog(self) -> Catalog:
        with iceberg_faults(self.shown):
            if self.connection is not None:
                return self.connection.connection.catalog(self.connection.home)
            folder = (self.project / str(self.warehouse)).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            made = IcebergConnection.model_validate({"uri": f"sqlite:///{folder / CATALOG}", "warehouse": str(folder)})
            return made.catalog(folder)
