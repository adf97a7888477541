"""Definitions as they are read: what they come to, and what is said when they cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.definitions.plugins import Derive, FileSource, Filter, Limit, OnlyThese, RowCount
from tests.definitions.reading import CATALOG, HEAD, problems, read, told

from headrace.business.model.contract import Contract
from headrace.errors import DefinitionError, Location, Problem, UsageError
from headrace.infrastructure.loader import load, load_text, locate


def test_the_smallest_definition():
    definition = read(HEAD).definition
    assert (definition.version, definition.pipeline, definition.engine) == (1, "p", "duckdb")
    assert definition.sources["a"].plugin == FileSource(path="a.csv")


def test_bare_values_and_options_are_the_same():
    short = read(HEAD + "steps: [{filter: x > 1}, {derive: {y: x}}, {limit: 5}]\nchecks: [{row_count: }]")
    long = read(
        HEAD + "steps: [{filter: {where: x > 1}}, {derive: {columns: {y: x}}}, {limit: {rows: 5}}]\nchecks: [{row_count: {}}]"
    )
    assert short.definition == long.definition
    assert [step.plugin for step in short.definition.steps] == [
        Filter(where="x > 1"),
        Derive(columns={"y": "x"}),
        Limit(rows=5),
    ]
    assert short.definition.checks[0].plugin == RowCount()


def test_names_are_the_kinds_numbered_when_repeated():
    made = read(
        HEAD + "steps: [{filter: a}, {filter: b}, {name: filter_2, limit: 1}, {filter: c}]\nsinks: [{file: x}, {file: y}]"
    ).definition
    assert [s.name for s in made.steps] == ["filter", "filter_3", "filter_2", "filter_4"]
    assert [s.name for s in made.sinks] == ["file", "file_2"]


def test_a_step_does_not_take_the_name_of_a_source():
    assert read("pipeline: p\nsources: {limit: {file: x}}\nsteps: [{limit: 3}]").definition.steps[0].name == "limit_2"


def test_what_looks_like_a_number_is_text_where_text_is_wanted():
    made = read("pipeline: p\ndescription: 1.10\nsources: {a: {file: {path: 010, delimiter: 1}}}")
    assert made.definition.description == "1.10"
    assert made.definition.sources["a"].plugin == FileSource(path="010", delimiter="1")


def test_leading_zeros_are_kept_for_text_and_read_as_decimal_for_numbers():
    assert read(HEAD + "steps: [{limit: 010}, {limit: 0o10}, {limit: 1_000}]").definition.steps[0].plugin == Limit(rows=10)
    contract = (
        read("pipeline: p\nsources: {a: {file: x, contract: {columns: {zip: {type: string, in: [01234, 99]}}}}}")
        .definition.sources["a"]
        .contract
    )
    assert contract.columns["zip"].in_.is_ == ("01234", "99")


def test_the_words_of_a_text_column_are_texts():
    text = "pipeline: p\nsources: {a: {file: x, contract: {columns: {c: {type: string, in: [NO, 1, 1.10, true, 2013-01-01]}}}}}"
    assert read(text).definition.sources["a"].contract.columns["c"].in_.is_ == ("NO", "1", "1.10", "true", "2013-01-01")


def test_the_values_of_a_number_column_are_numbers():
    text = "pipeline: p\nsources: {a: {file: x, contract: {columns: {c: {type: int32, in: [1, 2_000], between: [0, 1.5]}}}}}"
    column = read(text).definition.sources["a"].contract.columns["c"]
    assert column.in_.is_ == (1, 2000)
    assert column.between.is_ == (0, 1.5)


def test_a_column_may_be_just_its_type():
    text = "pipeline: p\nsources: {a: {file: x, contract: {columns: {c: int32, d: {type: int32}}}}}"
    columns = read(text).definition.sources["a"].contract.columns
    assert columns["c"] == columns["d"]


def test_durations():
    checks = read(HEAD + "checks: [{row_count_anomaly: {history: 8 weeks}}]").definition.checks
    assert checks[0].plugin.history == timedelta(weeks=8)


def test_all_problems_are_told_at_once_in_the_order_of_the_document():
    text = """\
    version: 2
    pipelin: p
    sources:
      a:
        fil: {path: x}
      b:
        file: {paht: x, format: cvs}
        contract:
          columns:
            year: {typ: int32, required: 5}
            key: [year]
          on_drift: evolv
    steps:
      - filtr: x
      - derive: {a: [1]}
      - row_count: {min: 1}
      - limit:
        rows: 5
    checks:
      - row_count: {min: lots}
        on: c
    sinks:
      file: out
    """
    assert told(text) == [
        "1:10: `version` must be `1`, not `2`",
        "2:1: unknown key `pipelin`",
        "5:5: there is no source `fil`",
        "7:12: unknown key `paht`",
        "7:29: `format` must be one of `csv`, `tsv`, `json`, `parquet`, not `cvs`",
        "10:16: unknown key `typ`",
        "10:38: `required` must be true or false, not `5`",
        "11:9: `key` belongs to the contract and is not one of its columns",
        "12:17: `on_drift` must be one of `evolve`, `freeze`, `discard_row`, `discard_value`, `quarantine_row`, not `evolv`",
        "14:5: there is no step `filtr`",
        "15:17: `a` must be text, not a list",
        "16:5: there is no step `row_count`",
        "18:5: unknown key `rows`",
        "20:22: `min` must be a whole number, not `lots`",
        "21:9: there is no dataset `c`",
        "23:3: `sinks` must be a list, not a mapping",
    ]


@pytest.mark.parametrize(
    ("part", "hint"),
    [
        ("filtr: x > 1", "did you mean `filter`?"),
        ("filter: {wher: x}", "did you mean `where`?"),
        ("row_count: {min: 1}", "`row_count` is a check: it belongs under `checks:`"),
        ("limit: 3\n    rows: 4", "`rows` belongs inside `limit:`, one level deeper"),
        ("limit: {rows: 3, from: a}", "`from` belongs beside the name of the step, not inside it"),
        ("filter: x\n    form: a", "did you mean `from`?"),
        ("filter: x\n    from: A", "did you mean `a`?"),
        ("filter: x\n    from: filter_2\n  - filter: y", "a step sees only the sources and the steps before it"),
        ("{filter: x, limit: 1}", "begin a new item: `- limit: ...`"),
        ("filter", "write `- filter: {...}`"),
        ("zzzz: 1", "allowed: clean, derive, filter, join, limit, sql, name, from"),
    ],
)
def test_hints_say_what_was_meant(part, hint):
    assert [p.hint for p in problems(HEAD + f"steps:\n  - {part}\n")] == [hint]


def test_one_mistake_is_told_once():
    misspelt = HEAD.replace("file: a.csv", "file: {pth: a.csv}")
    assert told(misspelt) == ["2:22: unknown key `pth`"]
    assert told(HEAD + "step: [{name: b, filter: x}]\nchecks: [{on: b, row_count: {}}]") == ["3:1: unknown key `step`"]
    assert told(HEAD + "steps: [{nam: b, filter: x}]\nchecks: [{on: b, row_count: {}}]") == ["3:10: unknown key `nam`"]


def test_unions_make_one_message():
    assert told("pipeline: p\nsources: {a: {file: {path: {x: 1}}}}") == ["2:28: `path` must be text or a list, not a mapping"]
    assert told("pipeline: p\nsources: {a: {file: {path: [{x: 1}]}}}") == ["2:29: item 1 of `path` must be text, not a mapping"]


def test_nothing_of_pydantic_is_shown():
    text = str(
        DefinitionError(
            problems(
                HEAD
                + "x: 1\nsteps: [{limit: a}, {derive: 5}, {clean: {fill: {a: [1]}, dedupe: {}}}]\nchecks: [{null_share: {max: 2}}]"
            )
        )
    )
    for word in ("pydantic", "http", "Input", "input_value", "function-", "valid ", "Error"):
        assert word not in text


def test_datasets_that_rules_refer_to():
    contract = "{columns: {c: {references: b.x}}, rules: {r: {references: x, column: c}}}"
    assert told(f"pipeline: p\nsources: {{a: {{file: x, contract: {contract}}}}}") == [
        "2:61: there is no dataset `b`",
        "2:92: `x` names no column",
    ]


@pytest.mark.parametrize("name", ["a b", "1a", "input", "a.b", "x" * 64])
def test_names_that_cannot_be(name):
    assert len(problems(f"pipeline: p\nsources: {{'{name}': {{file: x}}}}")) == 1


def test_tests_name_what_is_there():
    text = HEAD + "tests: [{name: t, rows: {b: []}, params: {d: 1}, expect: {count: {c: 1}, checks: {x: pass}, rows: {e: []}}}]"
    assert sorted(m.split(": ", 1)[1] for m in told(text)) == [
        "there is no check `x`", "there is no dataset `c`", "there is no dataset `e`", "there is no parameter `d`", "there is no source `b`",
    ]  # fmt: skip


def test_empty_and_other_documents():
    assert told("") == ["1:1: the definition is empty"]
    assert told("- a\n") == ["1:1: a definition is a mapping (`pipeline: ...`), not a list"]
    assert told("pipeline: p\n") == ["1:1: `sources` is missing here"]
    assert told("pipeline: p\nsources: {}\n") == ["2:1: a pipeline needs at least one source"]


def test_later_problems_get_their_places():
    loaded = read(HEAD + "steps:\n  - filter: a > 1 and\n      bb > 2\n  - derive: {x: 'it''s y'}\n")
    found = locate(
        [
            Problem("1", ("steps", 0, "filter", "where"), offset=len("a > 1 and ")),
            Problem("2", ("steps", 1, "derive", "columns", "x"), offset=len("it's ")),
            Problem("3", ("steps", 1, "derive", "x"), on_key=True),
            Problem("4", ("sources", "a", "contract", "columns", "c")),
            Problem("5", location=Location("other", 1, 1)),
        ],
        loaded.places,
    )
    assert [str(p.location) for p in found] == ["f.yaml:5:7", "f.yaml:6:24", "f.yaml:6:14", "f.yaml:2:14", "other:1:1"]


def test_a_contract_in_a_file_of_its_own(tmp_path):
    (tmp_path / "c.yaml").write_text("columns:\n  c: {type: int32, at_least: '${params.low}'}\nkey: c\n")
    text = "pipeline: p\nparams: {low: 3}\nsources: {a: {file: x, contract: c.yaml}}"
    loaded = read(text, project=tmp_path)
    assert loaded.definition.sources["a"].contract == Contract(columns={"c": {"type": "int32", "at_least": 3}}, key="c")
    assert loaded.places.of(("sources", "a", "contract", "columns", "c", "type")) == Location(str(tmp_path / "c.yaml"), 2, 13)


def test_problems_of_a_contract_file_are_told_in_that_file(tmp_path):
    (tmp_path / "c.yaml").write_text("columns:\n  c: {typ: int32}\n")
    text = "pipeline: p\nsources: {a: {file: x, contract: c.yaml}, b: {file: x, contract: none.yaml}}"
    assert [str(p.location) for p in problems(text, project=tmp_path)] == [
        str(Location(str(tmp_path / "c.yaml"), 2, 7)),
        "f.yaml:2:66",
    ]


OPEN_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, required: true}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0}
  - name: people
    properties:
      - {name: name, logicalType: string}
"""


def test_a_contract_of_the_open_standard_promises_checks_as_well(tmp_path):
    (tmp_path / "c.yaml").write_text(OPEN_CONTRACT)
    text = "pipeline: p\nsources: {a: {file: x, contract: c.yaml#orders}}\nchecks: [{row_count: {min: 7}}]"
    definition = read(text, project=tmp_path).definition
    assert definition.sources["a"].contract.columns["id"].required.is_ is True
    assert [(c.name, c.on, c.plugin.min) for c in definition.checks] == [("row_count", None, 7), ("row_count_2", "a", 1)]


def test_problems_of_an_open_contract_are_told_in_its_file(tmp_path):
    (tmp_path / "c.yaml").write_text(OPEN_CONTRACT.replace("logicalType: string", "logicalType: strnig"))
    (problem,) = problems("pipeline: p\nsources: {a: {file: x, contract: c.yaml#people}}", project=tmp_path)
    assert (problem.location.file, problem.location.line) == (str(tmp_path / "c.yaml"), 15)
    assert len(problems("pipeline: p\nsources: {a: {file: x, contract: c.yaml#peple}}", project=tmp_path)) == 1


def test_a_file_is_read_in_its_folder(tmp_path):
    file = tmp_path / "flow.yaml"
    file.write_text(HEAD)
    loaded = load(file, catalog=CATALOG)
    assert (loaded.file, loaded.project) == (file, tmp_path)
    file.write_text("pipelin: p\n")
    with pytest.raises(DefinitionError) as caught:
        load(file, catalog=CATALOG)
    assert str(caught.value).startswith(f"{file}:1:1: ")
    with pytest.raises(UsageError):
        load(tmp_path / "none.yaml", catalog=CATALOG)


def test_two_hundred_steps():
    steps = "".join(f"  - name: s{n}\n    filter: distance > {n} and carrier <> 'X{n}'\n" for n in range(200))
    assert len(load_text(HEAD + "steps:\n" + steps, catalog=OnlyThese(), project=Path()).definition.steps) == 200
