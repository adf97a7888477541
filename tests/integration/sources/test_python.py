"""The source `python`: whatever a function gives as rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.sources.reading import read

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.python_source import PythonSource

FUNCTIONS = """
def rows(n=3):
    for i in range(n):
        yield {"a": i, "b": str(i)}

def listed():
    return [{"a": 0, "b": "0"}, {"a": 1, "b": "1"}, {"b": "2", "a": 2}]

def lists():
    yield [{"a": 0, "b": "0"}]
    yield [{"a": 1, "b": "1"}, {"a": 2, "b": "2"}]

def pandas():
    import pandas
    return pandas.DataFrame({"a": [0, 1, 2], "b": ["0", "1", "2"]}, index=[7, 8, 9])

def polars():
    import polars
    yield polars.DataFrame({"a": [0, 1], "b": ["0", "1"]})
    yield polars.DataFrame({"b": ["2"], "a": [2]})

def table():
    import pyarrow
    return pyarrow.table({"a": [0, 1, 2], "b": ["0", "1", "2"]})

def batches():
    yield from table().to_batches(2)

def reader():
    return table().to_reader()

def late_key():
    for i in range(20_000):
        yield {"a": i} if i < 15_000 else {"a": i, "late": 1}

def mixed():
    return [{"a": 1}, {"a": "x"}]

def boom():
    yield {"a": 1}
    raise RuntimeError("the API is gone")

def nothing():
    pass

def number():
    return 5

def empty():
    return []
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.mark.parametrize("name", ["rows", "listed", "lists", "pandas", "polars", "table", "batches", "reader"])
def test_all_shapes_of_rows_are_the_same_rows(name: str, project: Path) -> None:
    scan = PythonSource(call=f"functions.py:{name}").scan(project)
    assert [(c.name, str(c.type)) for c in scan.schema] == [("a", "int64"), ("b", "string")]
    assert read(scan).rows == [(0, "0", 0), (1, "1", 0), (2, "2", 0)]


def test_arguments_are_passed_by_name(project: Path) -> None:
    assert len(read(PythonSource(call="functions.py:rows", arguments={"n": 12_345}).scan(project)).rows) == 12_345


def test_a_declared_schema_decides_types_and_columns(project: Path) -> None:
    source = PythonSource.model_validate({"call": "functions.py:late_key", "schema": {"late": "int8", "a": "int32"}})
    scan = source.scan(project)
    rows = read(scan).rows
    assert [str(c.type) for c in scan.schema] == ["int8", "int32"]
    assert (rows[0], rows[-1]) == ((None, 0, 0), (1, 19_999, 0))


def test_no_rows_are_rows_of_a_declared_schema(project: Path) -> None:
    source = PythonSource.model_validate({"call": "functions.py:empty", "schema": {"a": "decimal(10, 2)"}})
    assert read(source.scan(project)).rows == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("late_key", "`late` that is not in its schema"),
        ("mixed", "`a` .* different types"),
        ("boom", "RuntimeError: the API is gone"),
        ("nothing", "returned nothing"),
        ("number", "returned int"),
        ("empty", "gave no rows"),
        ("rowz", "did you mean `rows`"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(name: str, said: str, project: Path) -> None:
    with pytest.raises(NonRetryableError, match=said):
        read(PythonSource(call=f"functions.py:{name}").scan(project))
