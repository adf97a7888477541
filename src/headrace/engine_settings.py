"""What `headrace.toml` says of the engine spark: `[engines.spark]`. The tables of the other settings are read in `settings`.

    [engines.spark]
    master = "spark://cluster:7077"      or "local[4]"; "local[*]" unless said
    staging = "/shared/headrace"         a folder that the executors see as well; the workspace of the run unless said
    shared = ["/shared/data"]            further folders that they see; Parquet files there are read by them
    "spark.executor.memory" = "4g"       whatever Spark is to be told, under Spark's own names
    "spark.sql.adaptive.enabled" = true

or a server of Spark Connect, which somebody has started and configured: `remote = "sc://host:15002"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from headrace.errors import Location, Problem
from headrace.records import record

#: What makes a value mean the same on Spark as elsewhere. A run sets it for itself, and nobody else may.
MEANING: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",
    "spark.sql.caseSensitive": "false",
    "spark.sql.groupByOrdinal": "false",
    "spark.sql.orderByOrdinal": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.legacy.decimal.retainFractionDigitsOnTruncate": "true",
    "spark.sql.variant.allowDuplicateKeys": "true",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
    "spark.sql.legacy.consecutiveStringLiterals.enabled": "false",
    "spark.sql.mapKeyDedupPolicy": "EXCEPTION",
}
#: What brings back the ways of older versions.
_OLD = ("spark.sql.legacy.", "spark.sql.parser.")
_MASTER = re.compile(r"local(\[(\*|[1-9]\d*)(,\s*\d+)?\])?|spark://\S+|yarn|k8s://\S+")
_WORDS = {"master": "an address such as `local[4]` or `spark://host:7077`", "remote": "an address such as `sc://host:15002`"}


@record
class SparkSettings:
    """Where `engine: spark` works, and what Spark is told."""

    master: str = "local[*]"
    remote: str | None = None
    """A server of Spark Connect, instead of a master."""
    staging: str | None = None
    """A folder that the executors see under the same name; of the run's workspace unless said."""
    shared: tuple[str, ...] = ()
    """Folders that the executors see under the same names, and may read from. Those of a local master see all."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What Spark is told, by Spark's names."""


def spark_settings(table: Any, head: Location, problems: list[Problem]) -> SparkSettings | None:
    """The table `[engines.spark]`, with every problem."""
    if not isinstance(table, Mapping):
        problems.append(Problem("`engines.spark` must be a table", location=head))
        return None
    options = dict(_flat({key: value for key, value in table.items() if _is_sparks(key)}))
    found = list(_of_own({key: value for key, value in table.items() if not _is_sparks(key)}))
    found += _of_options(options, remote="remote" in table)
    problems += (Problem(message, (), hint, location=head) for message, hint in found)
    if found:
        return None
    own = {key: table[key] for key in ("master", "remote", "staging") if key in table}
    return SparkSettings(
        **own, shared=tuple(table.get("shared", ())), options={key: _written(value) for key, value in options.items()}
    )


def _is_sparks(key: str) -> bool:
    return key == "spark" or key.startswith("spark.")


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """TOML reads a name with points that is not quoted as tables in tables."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _of_own(table: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for key, value in table.items():
        if key not in ("master", "remote", "staging", "shared"):
            yield (
                f"unknown setting `{key}` of the engine spark",
                "allowed: master, remote, staging, shared, and Spark's own: `spark.*`",
            )
        elif key == "shared":
            if not isinstance(value, list) or not all(isinstance(item, str) and item.startswith("/") for item in value):
                yield "`shared` of the engine spark must be a list of folders, as paths from the root", None
        elif not isinstance(value, str) or not value.strip():
            yield f"`{key}` of the engine spark must be {_WORDS.get(key, 'the path of a folder')}", None
        elif (key == "master" and not _MASTER.fullmatch(value)) or (key == "remote" and not value.startswith("sc://")):
            yield f"`{key}` of the engine spark must be {_WORDS[key]}, not `{value}`", None
        elif key == "staging" and not value.startswith("/"):
            yield "`staging` of the engine spark must be a path from the root, since executors are started elsewhere", None
    if "master" in table and "remote" in table:
        yield "the engine spark has a `master` or a `remote`, not both", "a server of Spark Connect has its own master"


def _of_options(options: Mapping[str, Any], *, remote: bool) -> Iterator[tuple[str, str | None]]:
    meaning = {name.lower(): name for name in MEANING}
    for key, value in options.items():
        if not isinstance(value, str | int | float):
            yield f"`{key}` must be a text, a number, true or false", None
        if key == "spark.master" or key == "spark.remote":
            yield f"`{key}` is written as `{key.removeprefix('spark.')}`", None
        elif key.lower() in meaning or key.startswith(_OLD):
            yield f"`{key}` cannot be set: a run sets it, so that values mean the same as on every engine", None
        elif remote and not key.startswith("spark.sql."):
            yield (
                f"`{key}` is decided where the server of Spark Connect is started",
                "only `spark.sql.*` can be set in a session",
            )


def _written(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
