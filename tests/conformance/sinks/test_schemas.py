"""Types that come back as they went in, schemas that grow, and those that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.sinks.mysql_target import MySQLTarget
from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import MODES, SCHEMA, Target, checkpoint, row, stage

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import (
    Binary,
    Boolean,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Json,
    List,
    String,
    Struct,
    Time,
    Timestamp,
)
from headrace.business.ports import Staged
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.manifest import decode, read
from headrace.infrastructure.formats.parquet_checksums import add_checksums

EVERY_TYPE = Schema.of(
    id=Integer(32), part=String(), flag=Boolean(), small=Integer(8), big=Integer(64), unsigned=Integer(64, signed=False), ratio=Float(64), single=Float(32),
    exact=Decimal(38, 10), text=String(), word=Enum(("a", "b")), day=Date(), clock=Time(), local=Timestamp(), instant=Timestamp(True),
    bytes=Binary(), json=Json(), numbers=List(Integer(32)), words=List(String()), nested=Struct((("x", Integer(32)), ("y", String()))),
)  # fmt: skip
VALUES = """
    (1, 'a/b=ж', true, (-128)::TINYINT, 9223372036854775807, 18446744073709551615::UBIGINT, 0.1::DOUBLE, 1.5::FLOAT,
     12345678901234567890.1234567891::DECIMAL(38, 10), 'a"b,c' || chr(10) || '; é 🦆 \\ ''', 'a', DATE '2020-02-29', TIME '12:00:00.123456',
     TIMESTAMP '2013-11-03 01:30:00.000001', TIMESTAMPTZ '2013-11-03 01:30:00-05', '\\x00\\xFF'::BLOB, '{"a": [1, null]}'::JSON,
     [1, NULL, 3]::INTEGER[], ['a', 'b"c', 'd,e', '\\', NULL, ''], {'x': 1, 'y': 'z"'}),
    (2, 'a', false, 127, -9223372036854775808, 0, 'inf'::DOUBLE, -0.25, -0.0000000001, '', 'b', DATE '0001-01-01', TIME '00:00:00',
     TIMESTAMP '9999-12-31 23:59:59.999999', TIMESTAMPTZ '1969-12-31 23:59:59.5+00', ''::BLOB, '"x"'::JSON, [], [], {'x': NULL, 'y': ''}),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""


def stage_every_type(folder: Path, target: Target | None = None) -> Staged:
    """Without an infinity where there is none: MySQL says so, see its own tests."""
    values = VALUES.replace("'inf'::DOUBLE", "1e308::DOUBLE") if isinstance(target, MySQLTarget) else VALUES
    folder.mkdir()
    with scratch() as con:
        raw, path = folder / "raw", folder / "rows.parquet"
        con.execute(f"COPY (SELECT * FROM (VALUES {values}) rows({', '.join(EVERY_TYPE.names)})) TO '{raw}' (FORMAT parquet)")
    add_checksums(raw, path)
    return Staged((path,), EVERY_TYPE, 3, path.stat().st_size)


@pytest.mark.parametrize("mode", ["append", "merge", "scd2"])
def test_every_type_comes_back_and_nothing_seems_changed(target: Target, tmp_path: Path, mode: str) -> None:
    """Were a value not what it was, then merging the same rows again would find it changed."""
    sink = target.sink(mode)
    staged = stage_every_type(tmp_path / "staged", target)
    sink.publish(target.home, staged, checkpoint("a"))
    if mode == "append":
        merged = target.sink("merge").publish(target.home, staged, checkpoint("b", day=2))
    else:
        merged = sink.publish(target.home, staged, checkpoint("b", day=2))
    assert (merged.inserted, merged.updated, merged.unchanged) == (0, 0, 3)


@pytest.mark.parametrize("mode", MODES)
def test_new_columns_are_added_and_missing_ones_are_null(target: Target, tmp_path: Path, mode: str) -> None:
    sink = target.sink(mode)
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "first")]), checkpoint("a"))
    grown = Schema((*(c for c in SCHEMA if c.name != "ratio"), Column("note", String())))
    values = [(*row(2, "second")[:4], *row(2)[5:], "new")]
    sink.publish(target.home, stage(tmp_path / "b", values, grown), checkpoint("b", day=2))
    wanted = "CAST(id AS VARCHAR), name, note" + (
        "" if mode == "replace" and target.plugin is FileSink else ", CAST(ratio AS VARCHAR)"
    )
    found = target.rows(wanted)
    if mode != "replace":
        assert found[0][:3] == ("1", "first", None)
    assert found[-1] == ("2", "second", "new", None)[: len(found[-1])]


def test_a_merge_leaves_the_columns_alone_that_it_does_not_bring(target: Target, tmp_path: Path) -> None:
    sink = target.sink("merge")
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "first"), row(2, "first")]), checkpoint("a"))
    narrow = Schema((Column("id", Integer(32)), Column("part", String()), Column("day", Date()), Column("name", String())))
    done = sink.publish(target.home, stage(tmp_path / "b", [(1, "p1", "2013-11-03", "second")], narrow), checkpoint("b"))
    assert (done.updated, done.inserted) == (1, 0)
    assert [(str(i), n, float(a)) for i, n, a in target.rows()] == [("1", "second", 1.1), ("2", "first", 1.1)]


@pytest.mark.parametrize("mode", MODES)
def test_what_does_not_fit_is_refused_before_anything_is_touched(target: Target, tmp_path: Path, mode: str) -> None:
    if target.plugin is FileSink and mode == "replace":
        mode = "append"  # files that are replaced need not be like those before
    sink = target.sink(mode)
    sink.publish(target.home, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    before = target.state()
    other = Schema(tuple(Column(c.name, String() if c.name == "amount" else c.type) for c in SCHEMA))
    if target.place().get("path", "").endswith("sqlite"):
        other = Schema(tuple(Column(c.name, String() if c.name == "ratio" else c.type) for c in SCHEMA))
    with pytest.raises(NonRetryableError, match=r"is .* there and string here"):
        sink.publish(target.home, stage(tmp_path / "b", [row(2)], other), checkpoint("b", day=2))
    assert target.state() == before
    shouting = Schema(tuple(Column(c.name.upper() if c.name == "name" else c.name, c.type) for c in SCHEMA))
    with pytest.raises(NonRetryableError, match="`NAME` is `name` there"):
        sink.publish(target.home, stage(tmp_path / "c", [row(2)], shouting), checkpoint("c", day=3))
    assert target.state() == before


def test_narrower_values_go_into_wider_columns(target: Target, tmp_path: Path) -> None:
    sink = target.sink("append")
    sink.publish(target.home, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    narrow = Schema(tuple(Column(c.name, Integer(16) if c.name == "id" else c.type) for c in SCHEMA))
    sink.publish(target.home, stage(tmp_path / "b", [row(2)], narrow), checkpoint("b"))
    assert [str(r[0]) for r in target.rows()] == ["1", "2"]


def test_scd2_needs_its_columns_where_there_are_rows(target: Target, tmp_path: Path) -> None:
    target.sink("append").publish(target.home, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    before = target.state()
    with pytest.raises(NonRetryableError, match="not the columns that scd2 needs: valid_from, valid_to, is_current"):
        target.sink("scd2").publish(target.home, stage(tmp_path / "b", [row(1)]), checkpoint("b"))
    assert target.state() == before


def test_names_that_are_hard_to_write(target: Target, tmp_path: Path) -> None:
    odd = Schema((Column("id", Integer(32)), Column('say "x"; drop', String()), Column("select", String()), Column("ключ", String()),
                  Column("part", String()), Column("day", Date())))  # fmt: skip
    sink = target.sink("merge")
    assert list(sink.problems(odd)) == []
    for day, text in enumerate(("old", "new"), 1):
        staged = stage(tmp_path / text, [(1, text, "b'c", "ж", "p/../%2F =1", "2020-01-01")], odd)
        done = sink.publish(target.home, staged, checkpoint(text, day=day))
    assert (done.updated, done.inserted) == (1, 0)
    assert target.rows('"say ""x""; drop", "select"') == [("new", "b'c")]


def test_the_manifest_tells_of_every_file(tmp_path: Path) -> None:
    sink = FileSink(path=str(tmp_path / "out"), partition_by=("part",), mode="append")
    for name in "ab":
        sink.publish(tmp_path, stage(tmp_path / name, [row(n) for n in range(9)]), checkpoint(name))
    written = read(tmp_path / "out" / "_manifest.json")
    assert written is not None
    state = decode(written)
    assert state.rows == written["rows"] == 18
    assert len(state.files) == 6
    assert state.schema == SCHEMA
    assert len(state.schemas) == 1
    assert all((tmp_path / "out" / f.path).stat().st_size == f.bytes for f in state.files)
