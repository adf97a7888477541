"""What a target says that it holds is what was published, in the types of the rows that were staged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import MODES, SCHEMA, Target, checkpoint, make_target, row, stage

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, List, String, Struct
from headrace.business.ports import Readable, Staged

ORDERED = "SELECT * FROM read_parquet(?) ORDER BY id"


def rows_of(held: Staged) -> list[tuple[object, ...]]:
    with scratch() as con:
        types = con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({ORDERED})", [str(f) for f in held.files]).fetchall()
        kinds = con.execute(f"DESCRIBE {ORDERED}", [str(f) for f in held.files]).fetchall()
    return [*types, *[(name, kind) for name, kind, *_ in kinds]]


@pytest.mark.parametrize("mode", MODES)
def test_it_is_what_was_staged(target: Target, tmp_path: Path, mode: str) -> None:
    staged = stage(tmp_path / "staged", [row(1, "a"), row(2, ""), row(3, None)])
    sink = target.sink(mode)
    sink.publish(target.home, staged, checkpoint("a"))
    assert isinstance(sink, Readable)
    held = sink.snapshot(target.home, SCHEMA, tmp_path)
    assert held is not None
    assert held.rows == 3
    assert rows_of(held) == rows_of(staged)


def test_there_is_none_before_the_first_publication(target: Target, tmp_path: Path) -> None:
    sink = target.sink("append")
    assert isinstance(sink, Readable)
    assert sink.snapshot(target.home, SCHEMA, tmp_path) is None


def test_of_a_history_it_is_the_versions_in_force(target: Target, tmp_path: Path) -> None:
    sink = target.sink("scd2")
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "a"), row(2, "a")]), checkpoint("a"))
    sink.publish(target.home, stage(tmp_path / "b", [row(1, "b")]), checkpoint("b", day=2))
    assert isinstance(sink, Readable)
    held = sink.snapshot(target.home, SCHEMA, tmp_path)
    assert held is not None
    assert rows_of(held) == rows_of(stage(tmp_path / "now", [row(1, "b"), row(2, "a")]))


def test_a_column_that_the_target_lacks_is_null(target: Target, tmp_path: Path) -> None:
    sink = target.sink("append")
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "a")]), checkpoint("a"))
    assert isinstance(sink, Readable)
    held = sink.snapshot(target.home, Schema.of(fresh=Integer(64), id=Integer(32)), tmp_path)
    alone = sink.snapshot(target.home, Schema.of(fresh=String()), tmp_path / "home")
    assert held is not None
    assert rows_of(held)[0] == (None, "1")
    assert alone is not None
    assert alone.rows == 1


@pytest.mark.parametrize("name", ["folder", "one_parquet", "duckdb", "sqlite", "postgres"])
def test_nested_values_come_back_from_text(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    nested = Struct((("a", Integer(64)), ("b", List(String()))))
    schema = Schema((Column("id", Integer(32)), Column("tags", List(String())), Column("deep", nested)))
    staged = stage(tmp_path / "staged", [(1, ["x", 'y"'], {"a": 1, "b": ["p"]}), (2, [], None)], schema)
    target = make_target(name, tmp_path, request.getfixturevalue("postgres") if name == "postgres" else "")
    sink = target.sink("replace")
    sink.publish(target.home, staged, checkpoint("a"))
    assert isinstance(sink, Readable)
    held = sink.snapshot(target.home, schema, tmp_path)
    assert held is not None
    assert rows_of(held) == rows_of(staged)
