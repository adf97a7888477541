"""Real servers for the stores and sinks of streams."""

from __future__ import annotations

from tests.integration.conftest import mysql, mysql_server, postgres, postgres_server

__all__ = ["mysql", "mysql_server", "postgres", "postgres_server"]
