"""All that a run of a stream imports, imported: for a process that others are forked from. Importing does nothing else."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import headrace

_APART = (
    "testing",
    "presentation",
    "__main__",
    "infrastructure.engines.spark",
    "infrastructure.engines.snowflake",
    "infrastructure.snowflake",
)
LIBRARIES = (
    "duckdb", "pyarrow.compute", "pyarrow.parquet", "psycopg", "pymysql", "redis", "confluent_kafka", "pika", "deltalake",
    "pyiceberg.catalog.sql", "sqlglot", "yaml",
)  # fmt: skip

for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
    if not module.name.startswith(tuple(f"headrace.{name}" for name in _APART)):
        import_module(module.name)
for library in LIBRARIES:
    import_module(library)
import_module("pyarrow").array([0])  # the first array looks for pandas, and imports it where it is there
