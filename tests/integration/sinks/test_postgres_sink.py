"""A PostgreSQL table as a target: its types, its rights, its readers, and what it cannot store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conformance.sinks.targets import checkpoint, row, stage
from tests.conformance.sinks.test_schemas import stage_every_type

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, Json, String
from headrace.business.ports import Fence
from headrace.errors import LeaseLost, NonRetryableError, RetryableError
from headrace.infrastructure.connectors import milestones, postgres_sink
from headrace.infrastructure.connectors.postgres_sink import PostgresSink
from headrace.infrastructure.connectors.postgres_table import PostgresDatabase


def sink(url: str, **options: Any) -> PostgresSink:
    return PostgresSink.model_validate({"url": url, "table": "analytics.flights", **options})


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as con:
        cursor = con.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def test_every_type_has_a_type_of_its_own(postgres: str, tmp_path: Path) -> None:
    sink(postgres).publish(tmp_path, stage_every_type(tmp_path / "staged"), checkpoint("a"))
    kinds = dict(
        query(
            postgres,
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'analytics.flights'::regclass AND attnum > 0",
        )
    )
    assert kinds == {
        "id": "integer", "part": "text", "flag": "boolean", "small": "smallint", "big": "bigint", "unsigned": "numeric(20,0)",
        "ratio": "double precision", "single": "real", "exact": "numeric(38,10)", "text": "text", "word": "text", "day": "date",
        "clock": "time without time zone", "local": "timestamp without time zone", "instant": "timestamp with time zone", "bytes": "bytea",
        "json": "jsonb", "numbers": "integer[]", "words": "text[]", "nested": "jsonb",
    }  # fmt: skip
    found = query(
        postgres,
        "SELECT exact::text, bytes, json, numbers, words, nested, unsigned::text, instant AT TIME ZONE 'UTC', text FROM analytics.flights WHERE id = 1",
    )[0]
    assert found[:7] == (
        "12345678901234567890.1234567891", b"\x00\xff", {"a": [1, None]}, [1, None, 3], ["a", 'b"c', "d,e", "\\", None, ""],
        {"x": 1, "y": 'z"'}, "18446744073709551615",
    )  # fmt: skip
    assert str(found[7]) == "2013-11-03 06:30:00"
    assert found[8] == "a\"b,c\n; é 🦆 \\ '"


@pytest.mark.parametrize(("kind", "text"), [(String(), "a\0b"), (Json(), '"a\\u0000b"')])
def test_a_nul_character_is_named_with_its_column_and_nothing_changes(
    postgres: str, tmp_path: Path, kind: Any, text: str
) -> None:
    schema = Schema.of(id=Integer(32), note=kind)
    sink(postgres).publish(tmp_path, stage(tmp_path / "a", [(1, '"x"')], schema), checkpoint("a"))
    with pytest.raises(NonRetryableError, match="`note` has a NUL character in 1 rows"):
        sink(postgres).publish(tmp_path, stage(tmp_path / "b", [(2, '"y"'), (3, text)], schema), checkpoint("b"))
    assert query(postgres, "SELECT id FROM analytics.flights") == [(1,)]


def test_texts_that_copy_might_mistake(postgres: str, tmp_path: Path) -> None:
    texts = ["\\.", "", "\\N", "NULL", '"', "a\nb", "a\rb", ",", None, "\\", "#", " x "]
    schema = Schema.of(sole=String())
    sink(postgres).publish(tmp_path, stage(tmp_path / "a", [(t,) for t in texts], schema), checkpoint("a"))
    assert sorted(map(repr, query(postgres, "SELECT sole FROM analytics.flights"))) == sorted(repr((t,)) for t in texts)


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_readers_see_the_last_state_until_the_commit(
    postgres: str, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"key": "id"} if mode in ("merge", "scd2") else {}
    target = sink(postgres, mode=mode, **key)
    target.publish(tmp_path, stage(tmp_path / "a", [row(1, "old"), row(2, "old")]), checkpoint("a"))
    seen = []
    monkeypatch.setattr(
        milestones, "reached", lambda point: seen.append((point, query(postgres, "SELECT name FROM analytics.flights")))
    )
    target.publish(tmp_path, stage(tmp_path / "b", [row(1, "new"), row(3, "new")]), checkpoint("b", day=2))
    assert [names for point, names in seen if point != "committed"] == [[("old",), ("old",)]] * 4
    assert ("new",) in dict(seen)["committed"]


def test_who_waits_too_long_for_another_is_told_to_try_again(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink(postgres).publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    monkeypatch.setitem(postgres_sink._SETTINGS, "lock_timeout", "10ms")
    with psycopg.connect(postgres) as other:
        other.execute("INSERT INTO analytics.flights (id) VALUES (9)")
        with pytest.raises(RetryableError, match="lock timeout"):
            sink(postgres).publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b"))


def test_a_lost_connection_is_tried_again(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = stage(tmp_path / "a", [row(1)])

    def cut(point: str) -> None:
        if point == "rows written":
            query(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headrace'")

    with monkeypatch.context() as patched:
        patched.setattr(milestones, "reached", cut)
        with pytest.raises(RetryableError):
            sink(postgres).publish(tmp_path, staged, checkpoint("a"))
    assert sink(postgres).publish(tmp_path, staged, checkpoint("a")).inserted == 1


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (("127.0.0.1:", "127.0.0.1:1"), RetryableError, "port"),
        (("postgres@", "nobody@"), NonRetryableError, "nobody"),
        (("127.0.0.1", "no.such.host.invalid"), RetryableError, "no.such.host.invalid"),
    ],
)
def test_who_cannot_connect_is_told_why(
    postgres: str, tmp_path: Path, wrong: tuple[str, str], kind: type[Exception], message: str
) -> None:
    url = (
        postgres.replace("postgres@", "postgres:geheim@").replace(*wrong)
        if "postgres@" not in wrong
        else postgres.replace(*wrong)
    )
    with pytest.raises(kind, match=message) as caught:
        sink(url).publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgres//u:geheim@h/d", "postgresql://u:geheim@[h/d", "host=h password=geheim prt=1"])
def test_an_address_that_is_none_is_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(NonRetryableError, match="is not the address") as caught:
        sink(url).ledger(tmp_path)
    assert "geheim" not in str(caught.value)


def test_a_user_without_rights_is_told_so(postgres: str, tmp_path: Path) -> None:
    query(postgres, "DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    staged = stage(tmp_path / "a", [row(1)])
    guest = postgres.replace("postgres@", "guest@")
    with pytest.raises(NonRetryableError, match="permission denied") as caught:
        sink(guest).publish(tmp_path, staged, checkpoint("a"))
    assert "grant" in str(caught.value.hint)
    sink(postgres).publish(tmp_path, staged, checkpoint("a"))
    query(postgres, "GRANT USAGE ON SCHEMA analytics TO guest; GRANT ALL ON ALL TABLES IN SCHEMA analytics TO guest")
    assert sink(guest).publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b")).deleted == 1, (
        "and needs no right to create"
    )


def test_who_waited_for_another_sees_what_that_one_fenced(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the server would have every transaction see one state alone, from before the waiting."""
    late = sink(postgres + "?options=-c%20default_transaction_isolation%3Drepeatable%5C%20read", table="plain")
    staged = stage(tmp_path / "a", [row(1)])
    late.publish(tmp_path, staged, checkpoint("a", fence=Fence("here", 1)))
    asked: list[str] = []
    run = PostgresDatabase.run

    def slowly(self: PostgresDatabase, statement: str) -> int:
        """Between the first look at the server and the lock, another takes over."""
        if "advisory" in statement and not asked:
            asked.append(statement)
            sink(postgres, table="plain").fence(tmp_path, "flights", Fence("here", 2))
        return run(self, statement)

    monkeypatch.setattr(PostgresDatabase, "run", slowly)
    with pytest.raises(LeaseLost):
        late.publish(tmp_path, staged, checkpoint("b", fence=Fence("here", 1)))
    assert asked


def test_one_token_is_kept_of_each_issuer_and_pipeline(postgres: str, tmp_path: Path) -> None:
    staged = stage(tmp_path / "a", [row(1)])
    for token in range(1, 5):
        sink(postgres).publish(tmp_path, staged, checkpoint(f"c{token}", fence=Fence("here", token)))
    sink(postgres).fence(tmp_path, "trains", Fence("here", 1))
    found = query(postgres, 'SELECT * FROM analytics."_headrace_fences" ORDER BY pipeline')
    assert found == [("flights", "flights", "here", 4), ("flights", "trains", "here", 1)]


def test_without_fences_there_is_no_table_of_them(postgres: str, tmp_path: Path) -> None:
    sink(postgres).publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert query(postgres, "SELECT to_regclass('analytics._headrace_fences')") == [(None,)]


def test_constraints_and_types_of_the_table_have_the_last_word(postgres: str, tmp_path: Path) -> None:
    query(
        postgres,
        "CREATE SCHEMA analytics; CREATE TABLE analytics.flights (id bigint PRIMARY KEY, name varchar(3), at timestamptz DEFAULT now())",
    )
    schema = Schema.of(id=Integer(32), name=String())
    sink(postgres, mode="append").publish(tmp_path, stage(tmp_path / "a", [(1, "abc")], schema), checkpoint("a"))
    for name, rows, message in (
        ("b", [(2, "abcd")], r"too long.*COPY flights, line 1, column name"),
        ("c", [(1, "x")], "duplicate key"),
    ):
        with pytest.raises(NonRetryableError, match=message):
            sink(postgres, mode="append").publish(tmp_path, stage(tmp_path / name, rows, schema), checkpoint(name))
    assert query(postgres, "SELECT id, name, at IS NULL FROM analytics.flights") == [(1, "abc", False)]


def test_indexes_are_there_where_they_were_asked_for(postgres: str, tmp_path: Path) -> None:
    indexes = ["name", ["part", "day"]]
    for name in "ab":
        sink(postgres, mode="append", indexes=indexes).publish(tmp_path, stage(tmp_path / name, [row(1)]), checkpoint(name))
    found = query(postgres, "SELECT indexdef FROM pg_indexes WHERE tablename = 'flights' ORDER BY 1")
    assert [d.partition("btree ")[2] for (d,) in found] == ["(name)", "(part, day)"]


def test_a_table_without_schema_goes_where_the_search_path_leads(postgres: str, tmp_path: Path) -> None:
    plain = sink(postgres, table="plain", mode="append")
    plain.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert plain.publish(tmp_path, stage(tmp_path / "b", [row(1)]), checkpoint("a")).already
    assert query(postgres, "SELECT count(*) FROM public.plain") == [(1,)]
    assert query(postgres, 'SELECT target, name FROM public."_headrace_ledger"') == [("plain", "a")]
