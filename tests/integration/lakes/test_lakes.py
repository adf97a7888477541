"""Lake tables as a pipeline meets them: time travel, growing schemas, other writers, and publications that come again."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.transaction import AddAction
from tests.conformance.sinks.targets import checkpoint, stage
from tests.integration.lakes.tables import SCHEMA, Lakes
from tests.integration.seaweed_server import KEY, SECRET, SeaweedServer

from headrace import bootstrap
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, Interval, String
from headrace.business.ports import Fence
from headrace.errors import LeaseLost, NonRetryableError, RetryableError
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.lakes import publication
from headrace.infrastructure.connectors.lakes.delta_sink import DeltaSink
from headrace.infrastructure.connectors.lakes.delta_source import DeltaSource
from headrace.infrastructure.connectors.lakes.iceberg_connection import IcebergConnection
from headrace.infrastructure.connectors.lakes.iceberg_sink import IcebergSink
from headrace.infrastructure.connectors.lakes.iceberg_source import IcebergSource


def test_every_mode_in_every_place(lakes: Lakes) -> None:
    """Append, merge and replace, each published twice, and read back as it is and as it was."""
    first = lakes.staged("a", [(1, "a"), (2, "b")])
    assert lakes.sink("append").publish(lakes.project, first, checkpoint("a")).inserted == 2
    assert lakes.sink("append").publish(lakes.project, first, checkpoint("a")).already
    then = lakes.version()
    lakes.others([7])
    merged = lakes.sink("merge").publish(
        lakes.project, lakes.staged("b", [(1, "A"), (2, "b"), (3, "c")]), checkpoint("b", day=2)
    )
    assert (merged.inserted, merged.updated, merged.unchanged) == (1, 1, 1)
    assert lakes.rows() == [(1, "A"), (2, "b"), (3, "c"), (7, "other 7")]
    done = lakes.sink("replace").publish(lakes.project, lakes.staged("c", [(9, "z")]), checkpoint("c", day=3))
    assert (done.inserted, done.deleted) == (1, 4)
    assert lakes.sink("replace").publish(lakes.project, lakes.staged("d", [(9, "y")]), checkpoint("c", day=3)).already
    assert lakes.rows() == [(9, "z")]
    assert lakes.rows("name", version=then) == [("a",), ("b",)]
    assert [c.name for c in lakes.sink("append").ledger(lakes.project) if c.name] == ["a", "c"]


def test_who_lost_its_lease_publishes_nothing_on_a_server(remote: Lakes) -> None:
    sink = remote.sink("append")
    staged = remote.staged("a", [(1, "a")])
    sink.fence(remote.project, "flights", Fence("here", 2))
    with pytest.raises(LeaseLost):
        sink.publish(remote.project, staged, checkpoint("a", fence=Fence("here", 1)))
    sink.publish(remote.project, staged, checkpoint("a", fence=Fence("here", 3)))
    with pytest.raises(LeaseLost):
        sink.publish(remote.project, staged, checkpoint("b", fence=Fence("here", 2)))
    assert remote.rows() == [(1, "a")]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_a_commit_that_comes_too_late_is_made_anew(local: Lakes, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Another tool commits between our look at the table and our commit: nothing of it is lost, and nothing of ours comes twice."""
    sink = local.sink(mode)
    sink.publish(local.project, local.staged("a", [(1, "a"), (2, "a")]), checkpoint("a"))
    came = []

    def meanwhile(point: str) -> None:
        if point == "sink ledger written" and len(came) < 2:
            came.append(point)
            local.others([10 + len(came)])

    monkeypatch.setattr(milestones.failpoints, "reached", meanwhile)
    done = sink.publish(local.project, local.staged("b", [(2, "b"), (3, "b")]), checkpoint("b", day=2))
    names = [name for _, name in local.rows()]
    other = [] if mode == "replace" else [f"other {10 + n}" for n in range(1, len(came) + 1)]
    assert sorted(names) == sorted(
        {"append": ["a", "a", "b", "b"], "merge": ["a", "b", "b"], "replace": ["b", "b"]}[mode] + other
    )
    assert len(came) == (1 if mode == "append" and local.sink_kind.kind == "delta" else 2), (
        "delta-rs puts what only adds behind others"
    )
    assert done.inserted == (1 if mode == "merge" else 2)
    assert done.deleted == (4 if mode == "replace" else 0), "what others added before our commit is gone too, and counted"


def test_who_is_always_too_late_says_so_and_publishes_nothing(local: Lakes, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = local.sink("replace")
    sink.publish(local.project, local.staged("a", [(1, "a")]), checkpoint("a"))
    monkeypatch.setattr(publication, "PERSISTENCE", publication.RetryPolicy(attempts=2, base_delay=0))
    monkeypatch.setattr(milestones.failpoints, "reached", lambda point: "ledger" in point and local.others([5]))
    with pytest.raises(publication.Conflict, match="another writer has committed meanwhile"):
        sink.publish(local.project, local.staged("b", [(2, "b")]), checkpoint("b", day=2))
    assert sorted(local.rows()) == [(1, "a"), (5, "other 5"), (5, "other 5")]
    assert [c.name for c in sink.ledger(local.project)] == ["a"]


def test_an_answer_that_was_lost_is_not_published_again(local: Lakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit counts, and whoever made it hears of a conflict: it finds its own entry, and says what it did."""
    sink = local.sink("append")
    sink.publish(local.project, local.staged("a", [(1, "a")]), checkpoint("a"))
    lost: list[str] = []

    def after(point: str) -> None:
        if point == "sink exchanged" and not lost:
            lost.append(point)
            raise publication.Conflict("the answer was lost")

    monkeypatch.setattr(milestones.failpoints, "reached", after)
    done = sink.publish(local.project, local.staged("b", [(2, "b")]), checkpoint("b", day=2))
    assert (done.inserted, done.already) == (1, False)
    assert local.rows() == [(1, "a"), (2, "b")]


def test_workers_that_append_at_once_lose_nothing(local: Lakes) -> None:
    wrong: list[BaseException] = []
    names = [f"w{n}" for n in range(4)]
    staged = {name: local.staged(name, [(n, name)]) for n, name in enumerate(names)}

    def work(name: str) -> None:
        try:
            try:
                local.sink("append").publish(local.project, staged[name], checkpoint(name))
            except RetryableError:  # as a run does, when a catalog stays locked for longer than is waited for
                local.sink("append").publish(local.project, staged[name], checkpoint(name))
        except BaseException as error:  # noqa: BLE001  carried to the test's own thread
            wrong.append(error)

    threads = [threading.Thread(target=work, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert local.rows() == list(enumerate(names))
    assert sorted(c.name for c in local.sink("append").ledger(local.project)) == names


def test_time_travel_by_timestamp(local: Lakes) -> None:
    sink = local.sink("append")
    began = datetime.now(UTC)
    sink.publish(local.project, local.staged("a", [(1, "a")]), checkpoint("a"))
    between = datetime.now(UTC) + timedelta(milliseconds=1)
    while datetime.now(UTC) <= between + timedelta(milliseconds=1):
        pass
    sink.publish(local.project, local.staged("b", [(2, "b")]), checkpoint("b"))
    assert local.rows(timestamp=between.isoformat()) == [(1, "a")]
    assert local.rows(timestamp=datetime.now(UTC).isoformat()) == [(1, "a"), (2, "b")]
    with pytest.raises(NonRetryableError, match="as old as"):
        local.rows(timestamp=(began - timedelta(days=1)).isoformat())
    with pytest.raises(NonRetryableError, match=r"has no (version|snapshot) 99"):
        local.rows(version=99)


def test_an_old_version_has_the_columns_of_its_time(local: Lakes) -> None:
    sink = local.sink("merge")
    sink.publish(local.project, local.staged("a", [(1, "a")]), checkpoint("a"))
    then = local.version()
    grown = Schema((*SCHEMA, Column("extra", Integer(32))))
    sink.publish(local.project, local.staged("b", [(1, "b", 5)], grown), checkpoint("b", day=2))
    assert local.rows() == [(1, "b", 5)]
    assert local.source(version=then).schema_of(local.project).names == ("id", "name")
    assert local.rows(version=then) == [(1, "a")]


def test_only_the_columns_that_are_asked_for_are_read(local: Lakes) -> None:
    local.sink("append").publish(local.project, local.staged("a", [(1, "a")]), checkpoint("a"))
    assert local.source(columns=["name"]).schema_of(local.project).names == ("name",)
    assert local.rows(columns=["name"]) == [("a",)]
    with pytest.raises(NonRetryableError, match="has no column `nam`") as caught:
        local.rows(columns=["nam"])
    assert "name" in str(caught.value.hint)


def test_a_divided_table_is_appended_to_and_merged(local: Lakes) -> None:
    for day, (mode, rows) in enumerate(
        {"append": [(1, "x"), (2, "y"), (3, "x")], "merge": [(1, "x"), (3, "y"), (4, None)]}.items(), 1
    ):
        local.sink(mode, partition_by=["name"]).publish(local.project, local.staged(mode, rows), checkpoint(mode, day=day))
    assert local.rows() == [(1, "x"), (2, "y"), (3, "y"), (4, None)]
    files = {str(p.parent) for p in local.project.rglob("*.parquet") if "name=" in str(p)}
    assert len(files) == 3


def test_a_cursor_is_asked_of_the_table(local: Lakes) -> None:
    sink = local.sink("append")
    for n in range(3):
        sink.publish(local.project, local.staged(f"{n}", [(n, f"r{n}"), (n + 10, f"r{n}")]), checkpoint(f"{n}"))
    scan = local.source().scan(local.project)
    for column, value, expected in (("id", "2", [2, 10, 11, 12]), ("name", "r1", [1, 2, 11, 12])):
        asked = scan.by_cursor(column, value)
        assert asked is not None
        assert sorted(i for batch in asked.open() for i in batch.column("id").to_pylist()) == expected


PIPELINE = """
version: 1
pipeline: copy
sources:
  orders:
    file: {path: orders.csv}
    contract: {columns: {id: {type: int64, required: true}, name: string}, key: [id]}
sinks:
  - KIND: OPTIONS
"""
BACK = """
version: 1
pipeline: back
sources:
  orders:
    KIND: OPTIONS
sinks:
  - file: {path: back.csv}
"""


def test_a_pipeline_writes_and_another_reads(remote: Lakes) -> None:
    """Through the whole of Headrace, with the connection by its name in headrace.toml; a second run does nothing."""
    kind = remote.sink_kind.kind
    remote.write_settings()
    (remote.project / "orders.csv").write_text("id,name\n1,a\n2,b\n,c\n")
    (remote.project / "p.yaml").write_text(
        PIPELINE.replace("KIND", kind).replace("OPTIONS", remote.written(mode="merge", key="id"))
    )
    (remote.project / "q.yaml").write_text(BACK.replace("KIND", kind).replace("OPTIONS", remote.written()))
    first, again, back = (bootstrap.run(bootstrap.load(remote.project / name)) for name in ("p.yaml", "p.yaml", "q.yaml"))
    assert [run.state for run in (first, again, back)] == ["succeeded"] * 3
    assert sorted((remote.project / "back.csv").read_text().split()) == ["1,a", "2,b", "id,name"]
    assert [c.name != "" for c in remote.sink("append").ledger(remote.project)] == [True]


@pytest.mark.parametrize("zone", ["UTC", None])
def test_a_cursor_finds_rows_whose_statistics_others_cut_to_milliseconds(tmp_path: Path, zone: str | None) -> None:
    """As Spark writes them: the greatest value in the log is smaller than the one in the file."""
    schema = pa.schema([("at", pa.timestamp("us", zone))])
    table = deltalake.DeltaTable.create(tmp_path / "t", schema)
    pq.write_table(pa.table([pa.array([1_600_000_000_123_456], schema.field("at").type)], schema), tmp_path / "t" / "a.parquet")
    cut = "2020-09-13T12:26:40.123" + ("Z" if zone else "")
    stats = {"numRecords": 1, "minValues": {"at": cut}, "maxValues": {"at": cut}, "nullCount": {"at": 0}}
    size = (tmp_path / "t" / "a.parquet").stat().st_size
    table.create_write_transaction([AddAction("a.parquet", size, {}, 1, True, json.dumps(stats))], "append", schema)
    scan = DeltaSource(path="t").scan(tmp_path)

    def found(least: str) -> int:
        asked = scan.by_cursor("at", least + ("+00" if zone else ""))
        return sum(batch.num_rows for batch in asked.open())

    assert [found(f"2020-09-13 12:26:40.{us}") for us in ("123400", "123456", "123457")] == [1, 1, 0]


def test_a_table_that_others_made_keeps_its_types(local: Lakes) -> None:
    """What is published into it is put into its columns, and a column that would lose something is refused by name."""
    local.sink("append").publish(local.project, local.staged("a", [], SCHEMA), checkpoint("a"))
    narrow = Schema.of(id=Integer(16), name=String())
    local.sink("append").publish(local.project, local.staged("b", [(1, "a")], narrow), checkpoint("b"))
    assert str(local.source().schema_of(local.project)["id"].type) == "int64"
    wide = Schema.of(id=Integer(64, signed=False), name=String())
    with pytest.raises(NonRetryableError, match="`id` is int64 there and uint64 here"):
        local.sink("append").publish(local.project, local.staged("c", [(2, "b")], wide), checkpoint("c"))
    assert local.rows() == [(1, "a")]


def test_an_iceberg_table_is_read_by_its_metadata_alone(tmp_path: Path) -> None:
    IcebergSink(table="n.t", warehouse="lake", mode="append").publish(
        tmp_path, stage(tmp_path / "staged", [(1, "a")], SCHEMA), checkpoint("a")
    )
    newest = max((tmp_path / "lake" / "n" / "t" / "metadata").glob("*.metadata.json"))
    scan = IcebergSource(path=str(newest.relative_to(tmp_path))).scan(tmp_path)
    assert [batch.to_pylist() for batch in scan.open()] == [[{"id": 1, "name": "a"}]]
    with pytest.raises(NonRetryableError, match="no Iceberg table that can be found without its catalog"):
        IcebergSource(path="lake/n/t").scan(tmp_path)


def test_what_a_table_remembers_is_demanded(tmp_path: Path) -> None:
    sink = DeltaSink(path="t", mode="append")
    sink.publish(tmp_path, stage(tmp_path / "staged", [(1, "a")], SCHEMA), checkpoint("a"))
    for note in (tmp_path / "t" / "_headrace").iterdir():
        note.unlink()
    with pytest.raises(NonRetryableError, match="what it remembers of its publications is gone"):
        sink.publish(tmp_path, stage(tmp_path / "again", [(1, "a")], SCHEMA), checkpoint("a"))


def test_what_a_table_has_no_type_for_is_said_when_planning(local: Lakes) -> None:
    odd = Schema.of(id=Integer(128), since=Interval())
    assert [problem.partition(",")[0] for problem in local.sink("append").problems(odd)] == [
        "`id` is int128",
        "`since` is interval",
    ]


def test_a_connection_to_a_catalog_is_tried(seaweed_server: SeaweedServer, tmp_path: Path) -> None:
    options = {"uri": seaweed_server.catalog, "warehouse": f"s3://{seaweed_server.new_table_bucket()}/"}
    answer = IcebergConnection(**options, credential=f"{KEY}:{SECRET}").reach(tmp_path)
    assert answer.rights == {"list namespaces": True}
    with pytest.raises(NonRetryableError, match="does not let us in"):
        IcebergConnection(**options, credential=f"{KEY}:wrong").reach(tmp_path)
    with pytest.raises(RetryableError, match="the connection was refused"):
        IcebergConnection(uri="http://127.0.0.1:9").reach(tmp_path)
    assert (
        IcebergConnection(uri="postgresql+psycopg://me:secret@db:5432/lake", warehouse="w").shown()
        == "postgresql+psycopg://db:5432/lake"
    )
