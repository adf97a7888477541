"""What contracts mean, on real files: keys, references, severities, drift, types and their marks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.errors import ContractBroken, DefinitionError


def two(project: Project, contract: dict[str, Any], parent: dict[str, Any] | None = None) -> Any:
    parents = {"file": "parents.csv", **({"contract": parent} if parent else {})}
    project.define(
        sources={"rows": {"file": "in.csv", "contract": contract}, "parents": parents},
        sinks=[{"name": "out", "from": "rows", "file": "out.csv"}],
    )
    return project.run()


def test_every_row_of_a_repeated_key_is_held_back_and_null_is_no_duplicate(project: Project) -> None:
    rows = [["a", 1], ["a", 1], ["a", 2], [None, 3], [None, 3], ["b", None], ["A", 1], ["a ", 1], ["é", 1], ["e\u0301", 1]]
    project.data("in.csv", ["k", "n"], rows)
    run = project.one({"key": ["k", "n"], "columns": {"n": "int32"}}).run()
    assert project.reasons(run) == {
        1: ["key.unique"],
        2: ["key.unique"],
        4: ["k.required"],
        5: ["k.required"],
        6: ["n.required"],
    }
    assert len(project.published()) == 5


def test_a_row_that_is_bad_otherwise_still_repeats_a_key(project: Project) -> None:
    project.data("in.csv", ["k", "n"], [["a", 1], ["a", 100]])
    run = project.one({"key": "k", "columns": {"n": {"type": "int32", "at_most": 10}}}).run()
    assert project.reasons(run) == {1: ["key.unique"], 2: ["n.at_most", "key.unique"]}


def test_composite_references(project: Project) -> None:
    project.data("in.csv", ["a", "b"], [[1, "x"], [1, "y"], [None, "y"], [2, None], [2, "x"]])
    project.data("parents.csv", ["p", "q"], [[1, "x"], [1, "x"], [2, "y"]])
    run = two(project, {"rules": {"known": {"references": ["parents.p", "parents.q"], "column": ["a", "b"]}}})
    assert project.reasons(run) == {2: ["known"], 5: ["known"]}
    assert len(project.published()) == 3, "parents that repeat multiply nothing"


def test_references_to_an_empty_parent(project: Project) -> None:
    project.data("in.csv", ["a"], [["x"], ["y"]])
    project.data("parents.csv", ["p"], [])
    run = two(project, {"columns": {"a": {"type": "string", "references": "parents.p"}}}, {"columns": {"p": "string"}})
    assert run.sources["rows"]["quarantined"] == 2


def test_references_go_to_good_rows_only(project: Project) -> None:
    project.data("in.csv", ["a"], [[1], [2], [3]])
    project.data("parents.csv", ["p", "n"], [[1, 1], [2, -1], [3, 1], [3, 1]])
    run = two(
        project,
        {"columns": {"a": {"references": "parents.p"}}},
        {"columns": {"p": {"unique": True}, "n": {"type": "int32", "above": 0}}},
    )
    assert project.reasons(run) == {2: ["a.references"], 3: ["a.references"]}


def test_a_dataset_may_refer_to_itself(project: Project) -> None:
    project.data("in.csv", ["id", "boss"], [[1, None], [2, 1], [3, 9], [4, 4]])
    run = project.one({"columns": {"boss": {"references": "rows.id"}}}).run()
    assert project.reasons(run) == {3: ["boss.references"]}


@pytest.mark.parametrize("name", ["n", "r", "row", "rowid", "file", "rank", "record", "action", "raw", "rule", "id", "reasons"])
def test_no_name_of_a_column_is_in_the_way(name: str, project: Project) -> None:
    project.data("in.csv", [name, "b"], [["1", 1], ["1", 2], ["2", 3], ["3", 4]])
    project.data("parents.csv", [name], [["1"], ["2"]])
    run = two(project, {"columns": {name: {"type": "int32", "unique": True, "references": f"parents.{name}"}}})
    assert project.reasons(run) == {1: [f"{name}.unique"], 2: [f"{name}.unique"], 4: [f"{name}.references"]}
    assert [row["cells"][name] for row in project.held(run)] == ["1", "1", "3"]
    assert project.multiset() == {("2", "3"): 1}


def test_the_heaviest_consequence_wins(project: Project) -> None:
    columns = {
        c: {"type": "int32", "at_most": {"is": 0, "on_violation": action}}
        for c, action in (("w", "warn"), ("d", "drop"), ("q", "quarantine"), ("f", "fail"))
    }
    rows = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]
    project.data("in.csv", list("wdqf"), rows)
    run = project.one({"columns": columns}).run()
    counts = run.sources["rows"]
    assert (counts["good"], counts["dropped"], counts["quarantined"]) == (1, 1, 1)
    assert project.reasons(run) == {3: ["w.at_most", "d.at_most", "q.at_most"]}
    project.data("in.csv", list("wdqf"), [*rows, [1, 1, 1, 1]])
    with pytest.raises(ContractBroken, match=r"f.at_most \(1 rows\)"):
        project.run()


@pytest.mark.parametrize(
    ("mode", "columns", "fates"),
    [
        ("evolve", {"a", "extra"}, (3, 1, 0)),
        ("discard_value", {"a"}, (4, 0, 0)),
        ("discard_row", {"a"}, (1, 0, 3)),
        ("quarantine_row", {"a"}, (1, 3, 0)),
    ],
)
def test_drift(mode: str, columns: set[str], fates: tuple[int, int, int], project: Project) -> None:
    project.data("in.csv", ["a", "extra"], [[1, None], [2, "more"], ["x", None], [4, "more"]])
    run = project.one({"columns": {"a": "int32"}, "on_drift": mode}).run()
    counts = run.sources["rows"]
    assert (counts["good"], counts["quarantined"], counts["dropped"]) == fates
    assert set(project.published()[0]) == columns


def test_frozen_columns_stop_the_run(project: Project) -> None:
    project.data("in.csv", ["a", "extra"], [[1, "more"]])
    with pytest.raises(ContractBroken, match=r"extra\.unexpected"):
        project.one({"columns": {"a": "int32"}, "on_drift": "freeze"}).run()


def test_columns_are_found_under_their_names_in_the_data(project: Project) -> None:
    project.data("in.csv", ["Größe (cm)", "b"], [[1, 1], ["x", 2]])
    run = project.one({"columns": {"size": {"source": "Größe (cm)", "type": "int32"}}}).run()
    assert project.reasons(run) == {2: ["size.type"]}
    assert project.held(run)[0]["cells"] == {"Größe (cm)": "x", "b": "2"}
    assert project.published() == [{"size": "1", "b": "1"}]


def test_texts_mean_what_the_contract_says(project: Project) -> None:
    project.data(
        "in.csv",
        ["n", "d", "x", "t", "s"],
        [
            ["NA", "31.12.2023", "1.234,5", "ja", " a "],
            ["7", "01.02.2024", "-,5", "NEIN", "-"],
            ["", "2024-01-01", "1,2,3", "yes", "b"],
        ],
    )
    contract = {
        "columns": {
            "n": {"type": "int32", "nulls": ["NA"]},
            "d": {"type": "date", "format": "%d.%m.%Y"},
            "x": {"type": "decimal(10, 2)", "decimal_mark": ",", "thousands_mark": "."},
            "t": {"type": "boolean", "true_words": ["ja"], "false_words": ["nein"]},
            "s": {"trim": True, "nulls": ["-"]},
        }
    }
    run = project.one(contract).run()
    assert [tuple(row.values()) for row in project.published()] == [
        ("", "2023-12-31", "1234.50", "true", "a"), ("7", "2024-02-01", "-0.50", "false", "")
    ]  # fmt: skip
    assert set(project.reasons(run)[3]) >= {"d.type", "x.type", "t.type"}


def test_a_file_with_a_header_alone(project: Project) -> None:
    project.data("in.csv", ["a", "b"], [])
    run = project.one(
        {"columns": {"a": {"type": "int32", "required": True, "between": [1, 2], "unique": True}}, "key": "a"}
    ).run()
    assert run.state == "succeeded"
    assert (run.sources["rows"]["read"], project.published()) == (0, [])


def test_a_column_of_nothing_breaks_nothing_but_required(project: Project) -> None:
    project.data("in.csv", ["a", "b"], [[None, i] for i in range(5)])
    options = {"type": "float64", "between": [1, 2], "in": [1, 2], "not_in": [3], "unique": True, "above": 0}
    assert project.one({"columns": {"a": options}}).run().sources["rows"]["good"] == 5
    run = project.one({"columns": {"a": {**options, "required": True}}}).run()
    assert set(map(tuple, project.reasons(run).values())) == {("a.required",)}


def test_no_number_lies_around_nan_and_infinity_is_a_bound_like_others(project: Project) -> None:
    project.data("in.csv", ["x"], [["nan"], ["inf"], ["-inf"], ["0.5"], ["1"], ["-0.0"], ["1.0000000001"]])
    run = project.one({"columns": {"x": {"type": "float64", "between": [0, 1]}}}).run()
    assert sorted(project.reasons(run)) == [1, 2, 3, 7]
    run = project.one({"columns": {"x": {"type": "float64", "at_least": 0}}}).run()
    assert sorted(project.reasons(run)) == [1, 3]
    run = project.one({"columns": {"x": {"type": "float64", "at_most": 0}}}).run()
    assert sorted(project.reasons(run)) == [1, 2, 4, 5, 7]


def test_whole_numbers_and_decimals_are_compared_exactly(project: Project) -> None:
    edge = 2**53
    project.data("in.csv", ["n", "d"], [[edge, "0.1"], [edge + 1, "0.1"], [edge, "12345678901234567890123456789012345.001"]])
    columns = {
        "n": {"type": "int64", "at_most": edge},
        "d": {"type": "decimal(38, 3)", "at_most": "12345678901234567890123456789012345.000"},
    }
    run = project.one({"columns": columns}).run()
    assert project.reasons(run) == {2: ["n.at_most"], 3: ["d.at_most"]}


def test_a_thousand_rules_are_one_scan(project: Project) -> None:
    project.data("in.csv", ["a"], [[i] for i in range(20)])
    rules = {f"not_{i}": f"a <> {i}" for i in range(1000)}
    project.one({"columns": {"a": "int32"}, "rules": rules})
    loaded = project.load()
    reading = [s.text for s in bootstrap.statements(loaded, bootstrap.plan(loaded)) if s.title.startswith("read")]
    assert len(reading) == 1
    assert reading[0].count("in.csv") == 1
    run = project.run()
    assert project.reasons(run) == {i + 1: [f"not_{i}"] for i in range(20)}


def test_mistakes_in_a_contract_are_told_with_their_place(project: Project) -> None:
    project.data("in.csv", ["a", "b"], [[1, "x"]])
    columns = {
        "aa": "int32",
        "b": {"type": "string", "between": ["z", "a"], "matches": "(a"},
        "a": {"type": "int32", "in": ["x"]},
    }
    project.one(
        {"columns": columns, "rules": {"r": "a + 1", "s": {"references": "rows.nothing", "column": "a"}}, "key": ["zz"]}
    )
    with pytest.raises(DefinitionError) as caught:
        project.run()
    told = str(caught.value)
    for part in ("`aa`", "`between`", "`matches`", "`in`", "true or false", "`nothing`", "`zz`"):
        assert part in told
    assert all(problem.location for problem in caught.value.problems)
