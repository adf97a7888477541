"""Composes the processes that carry work out: what they have loaded before they begin. Not what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.infrastructure.children import Children
    from headrace.infrastructure.storage.database import Database

#: What every run needs, loaded once before its process is made.
PRELOAD = (
    "headrace.bootstrap.serving",
    "headrace.application.orchestrator.batch",
    "headrace.business.processing.expressions.dialect",
    "headrace.business.processing.planning",
    "headrace.infrastructure.loader",
    "headrace.infrastructure.engines.duckdb.engine",
    "headrace.infrastructure.engines.duckdb.reading_census",
    "headrace.infrastructure.engines.duckdb.reading_delimited",
    "headrace.infrastructure.engines.duckdb.reading_types",
    "headrace.infrastructure.engines.duckdb.session",
    "headrace.infrastructure.formats.delimited",
    "headrace.infrastructure.storage.breaker_table",
    "headrace.infrastructure.storage.event_log",
    "headrace.infrastructure.storage.held_rows",
    "headrace.infrastructure.storage.run_queue",
    "headrace.infrastructure.storage.worker_registry",
    "headrace.infrastructure.storage.workspaces",
    "headrace.infrastructure.connectors.file_source",
    "headrace.infrastructure.connectors.file_sink",
    "headrace.settings",
    "tomllib",
)
_PRELOAD_FOR = {
    "sqlite": ("headrace.infrastructure.storage.sqlite_database",),
    "postgres": ("headrace.infrastructure.storage.postgres_database", "psycopg"),
}
#: Comes last, and does once what every run does first.
_WARMING = "headrace.bootstrap.warming"


def processes(database: Database) -> Children:
    """Makes processes that have everything loaded that runs need."""
    from headrace.infrastructure.children import Children

    return Children((*PRELOAD, *_PRELOAD_FOR[database.kind], _WARMING))
