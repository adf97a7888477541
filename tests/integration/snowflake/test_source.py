"""The source `snowflake` keeps the laws of the kit, and reads every type as what it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.sources.kit import ALL
from tests.integration.snowflake.projects import project_at
from tests.integration.snowflake_server import SnowflakeServer

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.snowflake_connection import SnowflakeConnection
from headrace.infrastructure.connectors.snowflake_source import SnowflakeSource

EVERY_TYPE = """CREATE TABLE "every type" (
    small NUMBER(4,0), middle NUMBER(9,0), big NUMBER(18,0), ours NUMBER(19,0), exact NUMBER(38,10), ratio FLOAT, word VARCHAR(20), day DATE,
    clock TIME(6), local TIMESTAMP_NTZ(6), instant TIMESTAMP_LTZ(6), yes BOOLEAN, bytes BINARY, tree VARIANT, "Mixed Case" VARCHAR)"""
ROWS = """INSERT INTO "every type"
    SELECT 9999, 999999999, 999999999999999999, -9223372036854775808, 12345678901234567890.1234567891, 'inf'::FLOAT, 'a\\\\b', '0001-01-01',
        '23:59:59.999999', '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59.5+00:00', TRUE, TO_BINARY('00ff', 'HEX'),
        PARSE_JSON('{"a": [1, null]}'), ''
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"""


@pytest.fixture(scope="module")
def profile(snowflake_server: SnowflakeServer) -> Profile[SnowflakeConnection]:
    database = snowflake_server.new_database()
    numbers = ", ".join(f"({i}, 'n{i}')" for i in range(20))
    snowflake_server.ask(
        database,
        EVERY_TYPE,
        ROWS,
        "CREATE TABLE numbers (id NUMBER(9,0), name VARCHAR)",
        f"INSERT INTO numbers VALUES {numbers}",
    )
    return Profile("warehouse", SnowflakeConnection.model_validate(snowflake_server.profile(database)))


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "reads", [{"table": "numbers"}, {"query": 'SELECT id, name AS "Name" FROM numbers WHERE id > 3;'}], ids=["table", "query"]
)
def test_the_law_holds(
    profile: Profile[SnowflakeConnection], reads: dict[str, str], law: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    law(SnowflakeSource(connection=profile, **reads), tmp_path)


def test_every_type_is_what_it_is(profile: Profile[SnowflakeConnection], tmp_path: Path) -> None:
    scan = SnowflakeSource(connection=profile, table="public.every type").scan(tmp_path)
    assert {c.name: str(c.type) for c in scan.schema} == {
        "small": "int16", "middle": "int32", "big": "int64", "ours": "int64", "exact": "decimal(38, 10)", "ratio": "float64", "word": "string",
        "day": "date", "clock": "time", "local": "timestamp", "instant": "timestamptz", "yes": "boolean", "bytes": "binary", "tree": "json",
        "Mixed Case": "string",
    }  # fmt: skip
    full, empty = (row for batch in scan.open() for row in batch.to_pylist())
    assert list(full.values()) == [
        9999, 999999999, 999999999999999999, -(2**63), Exact("12345678901234567890.1234567891"), float("inf"), "a\\b", date(1, 1, 1),
        time(23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 59, 500000, UTC), True,  # noqa: DTZ001
        b"\x00\xff", '{"a":[1,null]}', "",
    ]  # fmt: skip
    assert set(empty.values()) == {None}


def test_what_does_not_fit_is_an_error(profile: Profile[SnowflakeConnection], tmp_path: Path) -> None:
    """NUMBER(19, 0) holds more than 64 bits do."""
    scan = SnowflakeSource(connection=profile, query="SELECT CAST('9999999999999999999' AS NUMBER(19, 0)) AS n").scan(tmp_path)
    with pytest.raises(NonRetryableError, match="`n` does not fit int64"):
        list(scan.open())


def test_what_is_not_there_is_told(profile: Profile[SnowflakeConnection], tmp_path: Path) -> None:
    with pytest.raises(NonRetryableError, match="snowflake has no table `numbrs`") as missing:
        SnowflakeSource(connection=profile, table="numbrs").scan(tmp_path)
    assert "did you mean `numbers`?" in str(missing.value)
    with pytest.raises(NonRetryableError, match=r"snowflake \(query\)"):
        SnowflakeSource(connection=profile, query="SELECT nothing FROM numbers").scan(tmp_path)
    with pytest.raises(NonRetryableError, match="two columns `id`"):
        SnowflakeSource(connection=profile, query='SELECT id, name AS "id" FROM numbers').scan(tmp_path)


def test_a_pipeline_of_duckdb_reads_and_publishes(
    tmp_path: Path, snowflake_server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Source and sink belong to every engine, incremental reading to the engine duckdb."""
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "secret")
    database = snowflake_server.new_database()
    snowflake_server.ask(database, "CREATE TABLE given (id NUMBER(9,0))", "INSERT INTO given VALUES (1), (2)")
    project = project_at(tmp_path, snowflake_server, database)
    project.define(
        sources={"given": {"snowflake": {"connection": "warehouse", "table": "given"}, "incremental": {"cursor": "id"}}},
        steps=[{"derive": {"twice": "id * 2"}}],
        sinks=[{"snowflake": {"connection": "warehouse", "table": "kept", "mode": "append"}}],
    )
    project.run()
    snowflake_server.ask(database, "INSERT INTO given VALUES (3)")
    project.run()
    assert snowflake_server.ask(database, "SELECT id, twice FROM kept ORDER BY id") == [(1, 2), (2, 4), (3, 6)]
    project.define(
        engine="snowflake",
        sources={"given": {"snowflake": {"connection": "warehouse", "table": "given"}, "incremental": {"cursor": "id"}}},
        sinks=[{"file": {"path": "out/"}}],
    )
    assert project.cli("plan", str(project.file)) == 2
