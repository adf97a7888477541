"""Files as a target: what belongs to others is left alone, what stays is not copied, what is damaged is noticed."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import duckdb
import pytest
from tests.conformance.sinks.targets import SCHEMA, checkpoint, row, stage

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Fence
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import atomic_files
from headrace.infrastructure.connectors.file_sink import FileSink


def data_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file with rows."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file() and p.name[0] not in "._"}


def test_staged_files_are_linked_and_not_copied(tmp_path: Path) -> None:
    staged = stage(tmp_path / "staged", [row(1)])
    FileSink(path="out").publish(tmp_path, staged, checkpoint("a"))
    assert [inode for inode, _ in data_files(tmp_path / "out").values()] == [staged.files[0].stat().st_ino]


def test_without_links_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_files, "link_or_copy", shutil.copy2)
    staged = stage(tmp_path / "staged", [row(1)])
    FileSink(path="out").publish(tmp_path, staged, checkpoint("a"))
    shutil.rmtree(tmp_path / "staged")
    assert duckdb.connect().execute(f"SELECT count(*) FROM '{tmp_path}/out/*.parquet'").fetchall() == [(1,)]


def test_files_that_stay_are_the_same_files(tmp_path: Path) -> None:
    sink = FileSink(path="out", mode="merge", key=("id",), partition_by=("part",))
    sink.publish(tmp_path, stage(tmp_path / "a", [row(n, "old") for n in range(9)]), checkpoint("a"))
    before = data_files(tmp_path / "out")
    done = sink.publish(tmp_path, stage(tmp_path / "b", [row(0, "new"), row(1, "old")]), checkpoint("b"))
    after = data_files(tmp_path / "out")
    assert (done.updated, done.unchanged) == (1, 1)
    assert len(set(before.items()) & set(after.items())) == 2, "the two partitions without changes"
    assert sorted(done.files) == sorted(
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.name in set(after) - set(before)
    )


def test_a_merge_without_changes_writes_no_rows(tmp_path: Path) -> None:
    sink = FileSink(path="out.csv", mode="merge", key=("id",))
    staged = stage(tmp_path / "a", [row(1)])
    sink.publish(tmp_path, staged, checkpoint("a"))
    before = (tmp_path / "out.csv").stat()
    assert sink.publish(tmp_path, staged, checkpoint("b")).unchanged == 1
    after = (tmp_path / "out.csv").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert [c.name for c in sink.ledger(tmp_path)] == ["", "b"]


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_foreign_files_are_never_swallowed(tmp_path: Path, mode: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.docx").write_text("ten years")
    sink = FileSink.model_validate({"path": "out", "mode": mode})
    with pytest.raises(NonRetryableError, match=r"did not write there: thesis\.docx") as caught:
        sink.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert "a folder of its own" in str(caught.value.hint)
    assert [p.name for p in out.iterdir()] == ["thesis.docx"]
    (out / "thesis.docx").unlink()
    sink.publish(tmp_path, stage(tmp_path / "b", [row(1)]), checkpoint("b"))
    (out / "later.docx").write_text("one more")
    with pytest.raises(NonRetryableError, match=r"later\.docx"):
        sink.publish(tmp_path, stage(tmp_path / "c", [row(2)]), checkpoint("c"))


def test_hidden_files_of_others_are_carried_along(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o750)
    (out / ".gitkeep").write_text("here")
    FileSink(path="out").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert (out / ".gitkeep").read_text() == "here"
    assert out.stat().st_mode & 0o777 == 0o750


def test_a_target_that_was_changed_by_others_is_not_built_upon(tmp_path: Path) -> None:
    sink = FileSink(path="out", mode="append")
    sink.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    next((tmp_path / "out").glob("*.parquet")).unlink()
    with pytest.raises(NonRetryableError, match="is not what the last publication left there"):
        sink.publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b"))
    FileSink(path="out").publish(tmp_path, stage(tmp_path / "c", [row(3)]), checkpoint("c"))
    assert duckdb.connect().execute(f"SELECT id FROM '{tmp_path}/out/*.parquet'").fetchall() == [(3,)]


def test_a_single_file_that_was_changed_by_others_is_not_built_upon(tmp_path: Path) -> None:
    sink = FileSink(path="out.csv", mode="append")
    sink.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    with (tmp_path / "out.csv").open("a") as file:
        file.write("by,hand\n")
    with pytest.raises(NonRetryableError, match=r"`out\.csv` is not what"):
        sink.publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b"))
    assert sink.ledger(tmp_path) == ()
    done = FileSink(path="out.csv").publish(tmp_path, stage(tmp_path / "a2", [row(1)]), checkpoint("a"))
    assert not done.already


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    for name in "ab":
        FileSink(path="out", mode="append").publish(tmp_path, stage(tmp_path / name, [row(1)]), checkpoint(name))
    assert (tmp_path / "out").is_symlink()
    assert len(list((tmp_path / "disk").glob("*.parquet"))) == 2


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.csv").mkdir()
    staged = stage(tmp_path / "a", [row(1)])
    with pytest.raises(NonRetryableError, match="is a file, and a folder"):
        FileSink(path="file").publish(tmp_path, staged, checkpoint("a"))
    with pytest.raises(NonRetryableError, match="is a folder, and a file"):
        FileSink(path="folder.csv").publish(tmp_path, staged, checkpoint("a"))
    with pytest.raises(RetryableError, match="file"):
        FileSink(path="file/below").publish(tmp_path, staged, checkpoint("a"))


def test_other_layouts_do_not_mix(tmp_path: Path) -> None:
    FileSink(path="out", mode="append", format="csv").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    with pytest.raises(NonRetryableError, match=r"laid out otherwise \(delimiter: ,\)"):
        FileSink(path="out", mode="append", format="csv", delimiter=";").publish(
            tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b")
        )
    done = FileSink(path="out", format="csv", delimiter=";").publish(tmp_path, stage(tmp_path / "c", [row(2)]), checkpoint("c"))
    assert done.deleted == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"headrace": 99}', '{"other": 1}'])
def test_a_manifest_that_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_manifest.json").write_text(text)
    with pytest.raises(NonRetryableError, match=r"manifest|format version 99"):
        FileSink(path="out").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))


FORMULAS = ["=1+1", "+1", "-1", "@x", "\tx", "'=1", "''=1", "'plain", "plain", "", None, "a=1"]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"headrace": 99, "fences": []}', '{"headrace": 1, "fences": [{"token": 1}]}', "\\xff", "null"]
)
@pytest.mark.parametrize("path", ["out", "out.csv"])
def test_fences_that_cannot_be_read_let_nobody_in(tmp_path: Path, path: str, text: str) -> None:
    sink = FileSink(path=path)
    sink.fence(tmp_path, "flights", Fence("here", 1))
    (beside,) = tmp_path.glob(".*-fences")
    beside.write_text(text)
    with pytest.raises(NonRetryableError, match="cannot tell who may publish") as caught:
        sink.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a", fence=Fence("here", 2)))
    assert str(beside) in caught.value.message
    assert not (tmp_path / path).exists()


def test_fences_lie_hidden_beside_the_target_and_are_few(tmp_path: Path) -> None:
    sink, staged = FileSink(path="deep/out"), stage(tmp_path / "a", [row(1)])
    sink.fence(tmp_path, "flights", Fence("here", 1))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == [".out.headrace-fences"]
    for token in range(1, 5):
        sink.publish(tmp_path, staged, checkpoint(f"c{token}", fence=Fence("here", token)))
    written = json.loads((tmp_path / "deep" / ".out.headrace-fences").read_text())
    assert written == {"headrace": 1, "fences": [{"pipeline": "flights", "issuer": "here", "token": 4}]}


def test_formulas_are_escaped_and_come_back(tmp_path: Path) -> None:
    schema = Schema.of(id=Integer(32), text=String())
    sink = FileSink(path="out.csv", mode="merge", key=("id",), escape_formulas=True)
    staged = stage(tmp_path / "a", list(enumerate(FORMULAS)), schema)
    sink.publish(tmp_path, staged, checkpoint("a"))
    with (tmp_path / "out.csv").open(newline="") as file:
        cells = [line["text"] for line in csv.DictReader(file)]
    assert [c for c in cells if c[:1] in ("=", "+", "-", "@", "\t")] == []
    assert cells[:3] == ["'=1+1", "'+1", "'-1"]
    assert sink.publish(tmp_path, staged, checkpoint("b")).unchanged == len(FORMULAS)


def test_numbers_are_not_formulas(tmp_path: Path) -> None:
    FileSink(path="out.csv", escape_formulas=True).publish(
        tmp_path, stage(tmp_path / "a", [(-1, "x")], Schema.of(n=Integer(), s=String())), checkpoint("a")
    )
    assert (tmp_path / "out.csv").read_text() == "n,s\n-1,x\n"


def test_null_and_the_empty_text_differ_in_csv(tmp_path: Path) -> None:
    FileSink(path="out.csv").publish(
        tmp_path, stage(tmp_path / "a", [(None,), ("",), ("x",)], Schema.of(s=String())), checkpoint("a")
    )
    assert (tmp_path / "out.csv").read_text() == 's\n\n""\nx\n'


def test_json_lines_are_json(tmp_path: Path) -> None:
    rows = [(*row(1)[:4], "nan", *row(1)[5:]), (*row(2)[:4], "-inf", *row(2)[5:])]
    FileSink(path="out.jsonl").publish(tmp_path, stage(tmp_path / "a", rows), checkpoint("a"))

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    lines = [json.loads(line, parse_constant=refuse) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["ratio"] for line in lines] == ["nan", "-inf"]
    assert lines[0]["seen"] == "2013-11-03T06:30:00.001000Z"
    assert lines[0]["amount"] == 1.1


def test_partitions_are_read_by_everyone(tmp_path: Path) -> None:
    FileSink(path="out", partition_by=("part", "day")).publish(
        tmp_path, stage(tmp_path / "a", [row(n) for n in range(6)]), checkpoint("a")
    )
    found = (
        duckdb.connect()
        .execute(
            f"SELECT part, day::VARCHAR, count(*) FROM read_parquet('{tmp_path}/out/*/*/*.parquet') GROUP BY ALL ORDER BY ALL"
        )
        .fetchall()
    )
    assert found == [(f"p{n}", "2013-11-03", 2) for n in range(3)]


def test_a_fresh_disk_doubles_nothing(tmp_path: Path) -> None:
    """A run that was lost with its machine and started again elsewhere: the same checkpoint, nothing else in common."""
    sink = FileSink(path=str(tmp_path / "bucket" / "out"), mode="append")
    sink.publish(tmp_path / "pod 1", stage(tmp_path / "pod 1" / "staged", [row(1)]), checkpoint("a"))
    shutil.rmtree(tmp_path / "pod 1")
    done = sink.publish(tmp_path / "pod 2", stage(tmp_path / "pod 2" / "staged", [row(1)], files=2), checkpoint("a"))
    assert done.already
    assert duckdb.connect().execute(f"SELECT count(*) FROM '{tmp_path}/bucket/out/*.parquet'").fetchall() == [(1,)]


@pytest.mark.parametrize("path", ["out", "out.parquet"])
def test_a_publication_that_fails_leaves_nothing_behind(tmp_path: Path, path: str) -> None:
    staged = stage(tmp_path / "staged", [row(1)])
    staged.files[0].write_bytes(staged.files[0].read_bytes()[:-20])
    project = tmp_path / "project"
    with pytest.raises(NonRetryableError):
        FileSink(path=path).publish(project, staged, checkpoint("a"))
    assert list(project.iterdir()) == []


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NonRetryableError, match="Permission denied"):
        FileSink(path="out").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))


def test_the_schema_of_the_rows_is_in_the_manifest(tmp_path: Path) -> None:
    FileSink(path="out").publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    written = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert [c["name"] for c in written["schema"]] == list(SCHEMA.names)
    assert written["headrace"] == 1


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "lz4"])
def test_parquet_is_compressed_as_asked(tmp_path: Path, compression: str) -> None:
    staged = stage(tmp_path / "a", [row(n) for n in range(50)])
    FileSink.model_validate({"path": "out", "compression": compression}).publish(tmp_path, staged, checkpoint("a"))
    found = (
        duckdb.connect()
        .execute(f"SELECT DISTINCT lower(compression) FROM parquet_metadata('{tmp_path}/out/*.parquet')")
        .fetchall()
    )
    assert found == [({"none": "uncompressed", "lz4": "lz4_raw"}.get(compression, compression),)]


@pytest.mark.parametrize("path", ["out.csv.gz", "out.csv.zst", "out.jsonl.gz", "out.tsv", "out.ndjson"])
def test_the_ending_says_how_it_is_packed(tmp_path: Path, path: str) -> None:
    FileSink(path=path).publish(tmp_path, stage(tmp_path / "a", [row(1, "x")]), checkpoint("a"))
    assert duckdb.connect().execute(f"SELECT id, name FROM '{tmp_path}/{path}'").fetchall() == [(1, "x")]
