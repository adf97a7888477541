"""The options of the source `file`, before any file is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from headrace.infrastructure.connectors.file_formats import guessed
from headrace.infrastructure.connectors.file_listing import content_hash, list_files
from headrace.infrastructure.connectors.file_source import FileSource


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["a.csv"], "csv"), (["A.CSV.GZ"], "csv"), (["data/*.tsv.zst"], "tsv"), (["x/**/*.parquet"], "parquet"), (["a.jsonl", "b.ndjson"], "jsonl"),
        (["a.xlsx"], "excel"), (["a.csv", "b.json"], None), (["folder/"], None), (["a"], None), (["a.csv.bz2"], "csv"),
    ],
)  # fmt: skip
def test_formats_by_name(names: list[str], name: str | None) -> None:
    assert guessed(names) == name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "a.parquet", "delimiter": ";"}, "`delimiter` means nothing for parquet; it is for csv, tsv"),
        ({"path": "a.csv", "sheet": "x"}, "`sheet` means nothing for csv; it is for excel"),
        ({"path": "a.csv", "columns": ["a"]}, "header: false"),
        ({"path": "a.csv", "encoding": "utf-88"}, "`utf-88` is not an encoding"),
        ({"path": "a.csv", "quote": "ab"}, "at most 1"),
        ({"path": "a.csv", "delimiter": ""}, "at least 1"),
        ({"path": "a.csv", "skip": -1}, "greater than or equal to 0"),
        ({"path": "a.csv", "delimeter": ";"}, "Extra inputs are not permitted"),
        ({"path": []}, "at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FileSource.model_validate(options)


def test_making_a_source_opens_nothing() -> None:
    source = FileSource(path="/nowhere/at/all/*.csv", delimiter=";")
    assert source.origin == "/nowhere/at/all/*.csv"
    assert FileSource.model_validate(source.model_dump(exclude_unset=True)) == source


def test_files_are_listed_once_in_a_fixed_order_and_hashed_by_content(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.csv"):
        (tmp_path / name).write_text("same")
    listed = list_files(tmp_path, ["c.csv", "*.csv"])
    assert [Path(file.path).name for file in listed] == ["c.csv", "a.csv", "b.csv"]
    assert len({content_hash(file).sha256 for file in listed}) == 1
    assert {file.bytes for file in listed} == {4}
