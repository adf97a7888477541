"""Files that broke other tools: each is read right, or refused with a message that names it. Never a crash, never a silent change."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pydantic import ValidationError
from tests.integration.sources.reading import Read, read

from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.connectors.file_source import FileSource


def read_file(folder: Path, name: str, data: bytes | None = None, **options: Any) -> Read:
    if data is not None:
        (folder / name).write_bytes(data)
    return read(FileSource(path=name, **options).scan(folder))


CELLS = [
    "=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "1,234", "1e5", "0x10", "٣", "31/02/2020", "NA", "NULL", "null", "None", "\\N", "-", "nan", " padded ",
    "\ttab", "\u202ertl", "a\u0301", "\ufeff", "\U0001f600", "'quoted'", "{json}", "<b>", "${env.HOME}", "${secret:env/X}", "%s", "{{7*7}}",
]  # fmt: skip


def test_cells_come_as_they_stand_in_the_file(tmp_path: Path) -> None:
    lines = ["id\tcell", *(f"{i}\t{cell}" for i, cell in enumerate(CELLS) if not cell.startswith("\t"))]
    found = read_file(tmp_path, "a.tsv", "\n".join(lines).encode())
    assert found.rejected == []
    assert [row[1] for row in found.rows] == [cell for cell in CELLS if not cell.startswith("\t")]


def test_cells_that_need_quotes_come_as_they_were_before_quoting(tmp_path: Path) -> None:
    cells = [*CELLS, "a\nb", "a\r\nb", 'say "hi"', ",", "", "#not a comment"]
    lines = ["id,cell", *('{},"{}"'.format(i, cell.replace('"', '""')) for i, cell in enumerate(cells))]
    found = read_file(tmp_path, "a.csv", "\n".join(lines).encode())
    assert [row[1] for row in found.rows] == cells


@pytest.mark.parametrize(
    "name", ['a"; DROP TABLE t; --', "a'b", "select", "x" * 300, "é\u0301", "a.b", "a b", "$1", "?", "{a}", "_file", "rowid"]
)
def test_any_column_name_is_a_name(name: str, tmp_path: Path) -> None:
    quoted = '"{}"'.format(name.replace('"', '""'))
    (tmp_path / "a.csv").write_text(f"{quoted},other\n1,2\nbroken\n")
    scan = FileSource(path="a.csv").scan(tmp_path)
    assert scan.schema.names[1] == "other"
    found = read(scan)
    assert found.rows == [("1", "2", 0)]
    assert len(found.rejected) == 1


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": ' * 100_000,
        b"[" * 100_000,
        b'{"a": "' + b"x" * 3_000_000,
        b'{"a": 1}' + b"\0" * 100,
        b'{"\\ud800": 1}',
        b'{"a": 1e999999999}',
        b'{"a": 0' + b"0" * 10_000 + b"}",
    ],
)
def test_hostile_json_is_rejected_or_read_and_the_rest_is_read(data: bytes, tmp_path: Path) -> None:
    found = read_file(tmp_path, "a.jsonl", b'{"a": "first"}\n' + data + b'\n{"a": "last"}\n')
    assert [row[0] for row in found.rows if row[0] in ("first", "last")] == ["first", "last"]
    assert len(found.rows) + len(found.rejected) == 3


def test_an_object_of_very_many_keys(tmp_path: Path) -> None:
    wide = {f"k{i}": i for i in range(2_000)}
    found = read_file(tmp_path, "a.jsonl", json.dumps(wide).encode())
    assert [row[:-1] for row in found.rows] == [tuple(str(i) for i in range(2_000))]


class _Keys(pe.KmsClient):  # type: ignore[misc]
    def wrap_key(self, key: bytes, master: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, master: str) -> bytes:
        return base64.b64decode(wrapped)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_an_encrypted_column_without_its_key_is_an_error(plaintext_footer: bool, tmp_path: Path) -> None:
    factory = pe.CryptoFactory(lambda _: _Keys())
    config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["a"]}, plaintext_footer=plaintext_footer)
    table = pa.table({"a": [1], "b": [2]})
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    with pytest.raises(NonRetryableError, match=r"(?s)a\.parquet.*encrypted"):
        read_file(tmp_path, "a.parquet")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"x": value}
    return value


def test_fifty_levels_of_nesting(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([nested(50)]), tmp_path / "a.parquet")
    assert read_file(tmp_path, "a.parquet").rows == [(nested(50)["x"], 0)]


def test_timestamps_of_the_old_kind(tmp_path: Path) -> None:
    table = pa.table({"t": pa.array([1_600_000_000_123_456], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    assert [row[0] for row in read_file(tmp_path, "a.parquet").rows] == table["t"].to_pylist()


@pytest.mark.parametrize("cut", [8, 12, 100, -1, -4, -8, -20])
def test_a_parquet_file_that_breaks_off(cut: int, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(1000))}), tmp_path / "whole.parquet")
    with pytest.raises(NonRetryableError, match=r"cut\.parquet"):
        read_file(tmp_path, "cut.parquet", (tmp_path / "whole.parquet").read_bytes()[:cut])


def test_avro_types_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    with (tmp_path / "a.avro").open("wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), [{"next": {"next": None}}])
    with pytest.raises(NonRetryableError, match="contain themselves"):
        read_file(tmp_path, "a.avro")


def test_avro_columns_of_several_types_are_refused(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["string", "long"]}]}
    with (tmp_path / "a.avro").open("wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), [{"a": 1}])
    with pytest.raises(NonRetryableError, match="one of several types"):
        read_file(tmp_path, "a.avro")


@pytest.mark.parametrize(
    "path", ["a\0.csv", "", "file:///etc/passwd", "ftp://example.com/a.csv", "gopher://example.com/a.csv", "FILE://x"]
)
def test_what_is_no_path_is_refused_before_anything_is_opened(path: str) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        FileSource(path=path)


@pytest.mark.parametrize("path", ["..", "../../../../../../..", "/", "\\\\host\\share\\a.csv", "%2e%2e/a.csv", "~/a.csv"])
def test_odd_paths_are_errors_of_ours(path: str, tmp_path: Path) -> None:
    with pytest.raises(HeadraceError):
        FileSource(path=path + "/no.csv" if path.startswith((".", "/")) else path, format="csv").scan(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:200], lambda data: b"PK\x03\x04" + b"\0" * 500, lambda data: data.replace(b"workbook", b"workbuch")],
)
def test_a_workbook_that_is_none(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    from tests.integration.sources.test_files import write_workbook

    write_workbook(tmp_path / "whole.xlsx", [["a"], [1]])
    with pytest.raises(NonRetryableError, match=r"bad\.xlsx"):
        read_file(tmp_path, "bad.xlsx", damage((tmp_path / "whole.xlsx").read_bytes()))
