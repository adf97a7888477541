"""What a session is given depends on the server's version: the older text of each function does the same as the newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest
from tests.conformance.engines.adapters import Adapter, Postgres, evaluate
from tests.conformance.engines.edges import EDGES
from tests.conformance.engines.test_casts import casts
from tests.integration.postgres_server import PostgresServer

from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.processing.expressions.parse import parse_expression
from headrace.infrastructure.engines.postgres.server import LEAST_VERSION

#: Every character but those of planes that hold no letters.
CHARACTERS = [chr(code) for code in (*range(1, 0xD800), *range(0xE000, 0x1F000))]
#: How many characters Unicode has given another case, or called a mark, between the versions that engines know.
NEWER = 60


@pytest.fixture(scope="module")
def oldest(server: PostgresServer) -> Iterator[Postgres]:
    with psycopg.connect(server.new_database(), autocommit=True) as con:
        yield Postgres(con, LEAST_VERSION)


@pytest.mark.parametrize("text", ["lower(a)", "upper(a)", "strip_accents(a)"])
def test_characters_change_alike(engines: Mapping[str, Adapter], oldest: Postgres, text: str) -> None:
    expression = parse_expression(text, Schema.of(a=String()))
    numbers = "(SELECT n, chr(CAST(n AS integer)) AS a FROM generate_series(1, 126975) AS s(n) WHERE n NOT BETWEEN 55296 AND 57343) AS c"
    found = [
        [value for (value,) in engine.fetch(f"SELECT {engine.expression(expression)} FROM {numbers} ORDER BY n")]
        for engine in (*engines.values(), oldest)
    ]
    assert all(len(values) == len(CHARACTERS) for values in found)
    for values in found[1:]:
        unlike = [char for char, one, other in zip(CHARACTERS, found[0], values, strict=True) if one != other]
        assert len(unlike) <= NEWER
        assert not any(char < "\u0180" for char in unlike)


def test_texts_are_read_alike(engines: Mapping[str, Adapter], oldest: Postgres) -> None:
    rows = [
        {"a": text}
        for text in (
            *EDGES["string"],
            '"\\u0000"',
            '"\\ud800"',
            '"\\ud834\\udd1e"',
            '"\\\\u0000"',
            "[1,]",
            "nul",
            "{}",
            '{"a":1,"a":2}',
        )
    ]
    schema, newest = Schema.of(a=String()), engines["postgres"]
    able = [e for e in casts("string") if not newest.problems(e)]
    assert evaluate(oldest, able, schema, rows) == evaluate(newest, able, schema, rows)
