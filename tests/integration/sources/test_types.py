"""Types proposed for columns of text: only what every filled cell of the sample strictly is."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.integration.sources.reading import written

from headrace.infrastructure.engines.duckdb.reading_types import infer
from headrace.infrastructure.formats.delimited import Delimited


def proposed(cells: list[str], folder: Path) -> str:
    data = "c,other\n" + "".join(f"{cell},x\n" for cell in cells)
    with duckdb.connect() as con:
        return str(infer(con, Delimited(delimiter=",").scan(written(folder, data.encode())))["c"])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-20", "300"], "int64"),
        (["1", "", "3"], "int64"),
        (["9223372036854775808", "1"], "float64"),
        (["1", "2.5"], "float64"),
        (["1e5", "2"], "float64"),
        (["true", "False"], "boolean"),
        (["2020-02-29", "2021-01-01"], "date"),
        (["2020-01-01 10:00:00", "2020-01-01T10:00"], "timestamp"),
        (["2020-01-01T10:00:00Z", "2020-01-01 10:00:00+02:00"], "timestamptz"),
        (["00123", "45"], "string"),
        (["1", "NA"], "string"),
        (["1_000"], "string"),
        (["0x1F"], "string"),
        (["2021-02-29"], "string"),
        (["yes", "no"], "string"),
        (["nan"], "string"),
        (["٣"], "string"),
        (["", ""], "string"),
        ([], "string"),
    ],
)
def test_the_narrowest_type_that_all_filled_cells_are(cells: list[str], kind: str, tmp_path: Path) -> None:
    assert proposed(cells, tmp_path) == kind


def test_a_cell_beyond_the_first_glance_counts_too(tmp_path: Path) -> None:
    assert proposed(["1"] * 1000 + ["x"], tmp_path) == "string"


def test_a_broken_file_is_sampled_from_its_readable_records(tmp_path: Path) -> None:
    data = b'a,b\n1,"open\n2,x\n3,4,5\n'
    with duckdb.connect() as con:
        found = infer(con, Delimited().scan(written(tmp_path, data)))
    assert {name: str(kind) for name, kind in found.items()} == {"a": "int64", "b": "string"}


def test_many_columns_are_looked_at_in_several_queries(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(1500))
    row = ",".join(str(i) for i in range(1500))
    with duckdb.connect() as con:
        found = infer(con, Delimited().scan(written(tmp_path, f"{names}\n{row}\n".encode())))
    assert {str(kind) for kind in found.values()} == {"int64"}
