"""The source `file` in every format: what comes out of real files, and what is said of files that cannot be read."""

from __future__ import annotations

import bz2
import datetime as dt
import decimal
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.sources.reading import Read, read

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_source import FileSource


def read_file(folder: Path, path: Any, **options: Any) -> Read:
    return read(FileSource(path=path, **options).scan(folder))


# Delimited ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("a.csv", b"a,b\n1,x\n", {}),
        ("a.csv", b"a;b\n1;x\n", {}),
        ("a.csv", b"a|b\n1|x\n", {}),
        ("a.tsv", b"a\tb\n1\tx\n", {}),
        ("a.csv", b"\xef\xbb\xbfa,b\r\n1,x\r\n", {}),
        ("a.csv", b"a,b\r1,x\r", {}),
        ("a.csv", b"a,b\n1,x", {}),
        ("a.csv", "a,b\n1,x\n".encode("utf-16"), {}),
        ("a.csv", "a,b\n1,x\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
        ("a.csv", b"1,x\n", {"header": False, "columns": ["a", "b"]}),
        ("a.csv", b"made by\nhand\na,b\n1,x\n", {"skip": 2}),
        ("a.csv", b"# one\na,b\n# two\n1,x\n", {"comment": "#"}),
        ("a.csv", b"a||b\n1||x\n", {"delimiter": "||"}),
        ("a.csv", b"'a','b'\n'1','x'\n", {"quote": "'"}),
        ("a.csv.gz", gzip.compress(b"a,b\n1,x\n", mtime=0), {}),
        ("a.csv.bz2", bz2.compress(b"a,b\n1,x\n"), {}),
        ("a.csv.zst", pa.compress(b"a,b\n1,x\n", "zstd", asbytes=True), {"compression": "zstd"}),
        ("renamed.csv", gzip.compress(b"a,b\n1,x\n", mtime=0), {}),
        ("a", b"a,b\n1,x\n", {"format": "csv"}),
    ],
)
def test_dialects_of_delimited_text(name: str, data: bytes, options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    scan = FileSource(path=name, **options).scan(tmp_path)
    assert scan.schema.names == ("a", "b")
    assert read(scan).rows == [("1", "x", 0)]


def test_an_empty_cell_is_null_and_a_quoted_one_is_the_empty_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,\n2,""\n')
    assert read_file(tmp_path, "a.csv").rows == [("1", None, 0), ("2", "", 0)]


def test_names_that_stand_twice_or_not_at_all_are_made_unique_and_noted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,A,,a_2,a\n1,2,3,4,5\n")
    scan = FileSource(path="a.csv").scan(tmp_path)
    assert scan.schema.names == ("a", "A_3", "column_3", "a_2", "a_4")
    assert len(scan.notes) == 3
    assert read(scan).rows == [("1", "2", "3", "4", "5", 0)]


def test_a_thousand_columns(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(1200))
    (tmp_path / "a.csv").write_text(f"{names}\n{names}\n{names},x\n")
    found = read_file(tmp_path, "a.csv")
    assert len(found.rows[0]) == 1201
    assert found.reasons() == ["too_many_fields"]


def test_files_are_joined_by_the_names_of_their_columns(tmp_path: Path) -> None:
    for name, text in {"1.csv": "a,b\n1,2\n", "2.csv": "b,c\n3,4\n", "3.csv": "", "4.csv": "b,a\n5,6\n7\n"}.items():
        (tmp_path / name).write_text(text)
    found = read_file(tmp_path, "*.csv")
    assert found.rows == [("1", "2", None, 0), (None, "3", "4", 1), ("6", "5", None, 3)]
    assert [(file, record, text) for file, record, text, _, _ in found.rejected] == [(3, 2, "7")]


def test_many_files_of_one_kind_and_a_broken_one_among_them(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"{i:02}.csv").write_bytes(b"a,b\n%d,x\n" % i + (b'9,"open\n' if i in (3, 7) else b"") + b"%d,y\n" % i)
    found = read_file(tmp_path, ".")
    assert [row[0] for row in found.rows] == [str(i) for i in range(12) for _ in "xy"]
    assert [(file, record) for file, record, *_ in found.rejected] == [(3, 2), (7, 2)]
    assert [record for file, record in found.records if file == 3] == [1, 3]


def test_a_line_without_end_costs_no_more_than_its_bound(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(b"a,b\n1,x\n2,")
        for _ in range(20):
            file.write(b"y" * (1 << 20))
        file.write(b"\n3,z\n")
    found = read_file(tmp_path, "a.csv")
    assert [row[0] for row in found.rows] == ["1", "3"]
    [(_, record, text, reason, message)] = found.rejected
    assert (record, reason, len(text)) == (2, "too_long", 1 << 16)
    assert "20,971,522" in message


def test_a_record_of_megabytes_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1," + b"y" * 5_000_000 + b'\n2,"' + b"z\n" * 2_000_000 + b'"\n')
    assert [len(row[1]) for row in read_file(tmp_path, "a.csv").rows] == [5_000_000, 4_000_000]


def test_latin_1_in_a_utf_8_file_is_rejected_with_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,b\n1,é\n".encode() + "2,é\n".encode("latin-1") + b"3,ok?\n")
    found = read_file(tmp_path, "a.csv")
    assert found.in_order() == [("row", ("1", "é")), ("rejected", "2,\\xe9"), ("row", ("3", "ok?"))]


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,x\n" * 100_000)[:-10])
    with pytest.raises(NonRetryableError, match=r"a\.csv\.gz. cannot be read"):
        read_file(tmp_path, "a.csv.gz")


def test_what_unfolds_to_a_thousand_times_its_size_is_read_piece_by_piece(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n" + (b"0" * 99 + b"\n") * 100_000, 9))
    scan = FileSource(path="a.csv.gz").scan(tmp_path)
    assert len(read(scan).rows) == 100_000


def test_a_file_that_changes_while_it_is_read_is_read_again_later(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,x\n")
    scan = FileSource(path="a.csv").scan(tmp_path)
    path.write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(RetryableError, match="was changed"):
        read(scan)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"a,\xff\n1,2\n", "encoding"), (b'"a,b\n1,2\n', "cannot be read")],
)
def test_a_header_that_cannot_be_read_is_an_error(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(NonRetryableError, match=said):
        FileSource(path="a.csv").scan(tmp_path)


# Typed formats ------------------------------------------------------------------------------------------------------

TABLE = pa.table(
    {
        "i": pa.array([1, None], pa.int32()),
        "u": pa.array([2**63, 1], pa.uint64()),
        "n": pa.array([decimal.Decimal("1.10"), None], pa.decimal128(10, 2)),
        "t": pa.array([dt.datetime.fromisoformat("2020-01-01 01:02:03.456789"), None], pa.timestamp("us")),
        "d": pa.array([dt.date(2020, 2, 29), None]),
        "s": pa.array(["é", None]),
        "b": pa.array([b"\0", None]),
        "l": pa.array([[1, 2], None], pa.list_(pa.int64())),
        "o": pa.array([True, None]),
    }
)


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def write_feather(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)


def write_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize(
    ("suffix", "write"), [("parquet", write_parquet), ("feather", write_feather), ("arrows", write_stream)]
)
def test_types_and_values_of_columnar_files(suffix: str, write: Callable[[pa.Table, Path], None], tmp_path: Path) -> None:
    write(TABLE, tmp_path / f"a.{suffix}")
    scan = FileSource(path=f"a.{suffix}").scan(tmp_path)
    assert [str(c.type) for c in scan.schema] == [
        "int32", "uint64", "decimal(10, 2)", "timestamp", "date", "string", "binary", "list<int64>", "boolean",
    ]  # fmt: skip
    assert [list(row[:-1]) for row in read(scan).rows] == [list(row.values()) for row in TABLE.to_pylist()]


@pytest.mark.parametrize(("suffix", "write"), [("parquet", write_parquet), ("feather", write_feather)])
def test_columnar_files_are_joined_by_name_and_numbers_widened(
    suffix: str, write: Callable[[pa.Table, Path], None], tmp_path: Path
) -> None:
    write(pa.table({"a": pa.array([1], pa.int32()), "b": ["x"]}), tmp_path / f"1.{suffix}")
    write(pa.table({"c": [True], "a": pa.array([2**40], pa.int64())}), tmp_path / f"2.{suffix}")
    found = read_file(tmp_path, f"*.{suffix}")
    assert found.rows == [(1, "x", None, 0), (2**40, None, True, 1)]
    assert found.records == [(0, 1), (1, 1)]


@pytest.mark.parametrize(("suffix", "write"), [("parquet", write_parquet), ("feather", write_feather)])
def test_columns_that_are_of_different_kinds_are_an_error_that_names_both_files(
    suffix: str, write: Callable[[pa.Table, Path], None], tmp_path: Path
) -> None:
    write(pa.table({"a": [1]}), tmp_path / f"1.{suffix}")
    write(pa.table({"a": ["x"]}), tmp_path / f"2.{suffix}")
    with pytest.raises(NonRetryableError, match=rf"(?s)`a` is int64 in .*1\.{suffix}.*string in .*2\.{suffix}"):
        FileSource(path=f"*.{suffix}").scan(tmp_path)


def test_maps_uuids_and_nanoseconds_come_as_the_nearest_type_and_are_noted(tmp_path: Path) -> None:
    table = pa.table(
        {"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "t": pa.array([1_000_000_001], pa.timestamp("ns"))}
    )
    write_parquet(table, tmp_path / "a.parquet")
    scan = FileSource(path="a.parquet").scan(tmp_path)
    assert [str(c.type) for c in scan.schema] == ["json", "timestamp"]
    assert scan.notes == ("times in `t` are cut to microseconds",)
    assert read(scan).rows == [('{"k":1}', dt.datetime.fromisoformat("1970-01-01 00:00:01"), 0)]


AVRO_SCHEMA = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "i", "type": ["null", "long"]},
        {"name": "s", "type": "string"},
        {"name": "n", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "d", "type": {"type": "int", "logicalType": "date"}},
        {"name": "t", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "l", "type": {"type": "array", "items": "int"}},
        {
            "name": "r",
            "type": {
                "type": "record",
                "name": "Inner",
                "fields": [{"name": "x", "type": "double"}, {"name": "e", "type": "E"}],
            },
        },
    ],
}


def write_avro(path: Path, schema: Any, rows: list[dict[str, Any]]) -> None:
    with path.open("wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), rows)


def test_avro(tmp_path: Path) -> None:
    row = {
        "i": None, "s": "é", "n": decimal.Decimal("1.10"), "d": dt.date(2020, 1, 1), "t": dt.datetime.fromisoformat("2020-01-01"), "e": "B",
        "l": [1, 2], "r": {"x": 0.5, "e": "A"},
    }  # fmt: skip
    write_avro(tmp_path / "a.avro", AVRO_SCHEMA, [row, {**row, "i": 5}])
    scan = FileSource(path="a.avro").scan(tmp_path)
    assert [str(c.type) for c in scan.schema] == [
        "int64", "string", "decimal(10, 2)", "date", "timestamp", "string", "list<int32>", "struct<x: float64, e: string>",
    ]  # fmt: skip
    con_rows = read(scan).rows
    assert [r[0] for r in con_rows] == [None, 5]
    assert con_rows[0][5:8] == ("B", [1, 2], {"x": 0.5, "e": "A"})


def write_workbook(path: Path, rows: list[list[Any]]) -> None:
    """The least that a workbook can be, written without a library for it."""
    import zipfile

    def cell(value: Any) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    body = "".join("<row>" + "".join(cell(value) for value in row) + "</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)


def test_excel(tmp_path: Path) -> None:
    write_workbook(
        tmp_path / "a.xlsx",
        [["id", "name", "ok"], [1, "x", True], [2.5, "00123", False], [None, None, None], [3, "=1+1", None]],
    )
    scan = FileSource(path="a.xlsx", sheet="Data").scan(tmp_path)
    assert scan.schema.names == ("id", "name", "ok")
    assert read(scan).rows == [("1", "x", "true", 0), ("2.5", "00123", "false", 0), ("3", "=1+1", None, 0)]


def test_a_sheet_that_is_not_there_is_an_error_that_names_the_others(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [["a"], [1]])
    with pytest.raises(NonRetryableError, match="did you mean `Data`"):
        FileSource(path="a.xlsx", sheet="data").scan(tmp_path)


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrows", "avro", "xlsx"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"X" * 30 + data[30:-30] + b"X" * 30,
        lambda data: b"a,b\n1,2\n",
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(suffix: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"whole.{suffix}"
    if suffix == "avro":
        write_avro(path, {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}, [{"a": "x" * 50}] * 50)
    elif suffix == "xlsx":
        write_workbook(path, [["a"], ["x" * 500]])
    else:
        {"parquet": write_parquet, "feather": write_feather, "arrows": write_stream}[suffix](TABLE, path)
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(damage(path.read_bytes()))
    with pytest.raises(NonRetryableError, match=f"broken.{suffix}"):
        read_file(tmp_path, broken.name)


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a[1].csv",
        "b*.csv",
        "c?.csv",
        "d'q.csv",
        'd"q.csv',
        "e\nf.csv",
        "-rf.csv",
        "h;drop.csv",
        "\u202egnp.csv",
        "  .csv",
        "%2e%2e.csv",
    ],
)
def test_any_name_is_a_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "b2.csv").write_text("a\nother\n")
    assert read_file(tmp_path, name).rows == [("1", 0)]
    (tmp_path / name).write_bytes(b'a,b\n1,"open\n2,x\n')
    assert read_file(tmp_path, name).rows == [("2", "x", 0)]


def test_hidden_files_and_manifests_are_not_read(tmp_path: Path) -> None:
    for name in ("a.csv", ".hidden.csv", "_manifest.json", "_tmp.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.csv").write_text("a\n2\n")
    assert [Path(f.path).name for f in FileSource(path=".").scan(tmp_path).files] == ["a.csv"]  # type: ignore[attr-defined]
    assert [Path(f.path).name for f in FileSource(path="**/*.csv").scan(tmp_path).files] == ["a.csv"]  # type: ignore[attr-defined]


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("a\n1\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert read_file(tmp_path, "link.csv").rows == [("1", 0)]


def test_a_missing_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_text("a\n1\n")
    with pytest.raises(NonRetryableError, match=r"did you mean `flights\.csv`"):
        FileSource(path="flihgts.csv").scan(tmp_path)


def test_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in ("pipe.csv", "/dev/zero"):
        with pytest.raises(NonRetryableError, match="not a regular file"):
            FileSource(path=path, format="csv").scan(tmp_path)
