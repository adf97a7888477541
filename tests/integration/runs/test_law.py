"""The law of a run: every row that came in has exactly one fate, and a row that is held back carries everything about it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.integration.runs.project import Project

from headrace import bootstrap

CELLS = st.sampled_from(
    ["", "1", "2", "5", "7", "10", "-3", "x", "1.5", " 4", "NA", "é", "a,b", 'q"q', "l\nl", "99999999999", "=1+1"]
)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12)
ACTIONS = st.sampled_from(["quarantine", "drop", "warn"])
RULES = {
    "required": (lambda v, s: v is None, st.just(True)),
    "between": (lambda v, s: v is not None and not s[0] <= v <= s[1], st.sampled_from([[1, 5], [0, 100], [7, 7]])),
    "in": (lambda v, s: v is not None and v not in s, st.lists(st.integers(0, 10), min_size=1, max_size=4)),
    "not_in": (lambda v, s: v is not None and v in s, st.lists(st.integers(0, 10), min_size=1, max_size=4)),
    "above": (lambda v, s: v is not None and v <= s, st.integers(-5, 5)),
    "at_most": (lambda v, s: v is not None and v > s, st.integers(-5, 10)),
}


@st.composite
def columns(draw: Any) -> dict[str, Any]:
    column: dict[str, Any] = {"type": draw(st.sampled_from(["int32", "int64"]))}
    for name in draw(st.lists(st.sampled_from(sorted(RULES)), unique=True, max_size=3)):
        column[name] = {"is": draw(RULES[name][1]), "on_violation": draw(ACTIONS)}
    if draw(st.booleans()):
        column["unique"] = {"is": True, "on_violation": draw(ACTIONS)}
    return column


CONTRACTS = st.fixed_dictionaries(
    {
        "columns": st.fixed_dictionaries({"a": columns(), "b": columns()}),
        "rules": st.fixed_dictionaries({}, optional={"a_below_b": st.fixed_dictionaries({"expression": st.just("a < b"), "on_violation": ACTIONS})}),
    }
)  # fmt: skip


def number(text: str, kind: str) -> int | None:
    """What the cell is as a whole number, blanks around it aside; None when it is empty or none."""
    try:
        value = int(text) if not set(text.strip()) - set("-0123456789") else None
    except ValueError:
        return None
    bits = int(kind.removeprefix("int"))
    return value if value is not None and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None


def model(rows: list[tuple[str, ...]], contract: dict[str, Any]) -> list[list[tuple[str, str]]]:
    """What a plain reading of the contract says: for each row, the rules it breaks and what follows."""
    kinds = {name: c["type"] for name, c in contract["columns"].items()}
    values = [{n: number(row[i], kinds[n]) for i, n in enumerate("ab")} for row in rows]
    found: list[list[tuple[str, str]]] = []
    for row, value in zip(rows, values, strict=True):
        broken = [(f"{n}.type", "quarantine") for i, n in enumerate("ab") if row[i] != "" and value[n] is None]
        for i, name in enumerate("ab"):
            for rule, (violated, _) in RULES.items():
                option = contract["columns"][name].get(rule)
                cell = row[i] or None if rule == "required" else value[name]
                if option and violated(cell, option["is"]):
                    broken.append((f"{name}.{rule}", option["on_violation"]))
        rule = contract["rules"].get("a_below_b")
        if rule and None not in value.values() and not value["a"] < value["b"]:
            broken.append(("a_below_b", rule["on_violation"]))
        found.append(broken)
    for name in "ab":
        option = contract["columns"][name].get("unique")
        counts = Counter(v[name] for v in values)
        for value, broken in zip(values, found, strict=True):
            if option and value[name] is not None and counts[value[name]] > 1:
                broken.append((f"{name}.unique", option["on_violation"]))
    return found


def fate(broken: list[tuple[str, str]]) -> str:
    actions = {action for _, action in broken}
    return next((a for a in ("quarantine", "drop") if a in actions), "good")


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(rows=ROWS, contract=CONTRACTS)
def test_every_row_has_one_fate_and_all_its_reasons(rows: list[tuple[str, ...]], contract: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.data("in.csv", ["a", "b", "c"], rows)
        written = {**contract, "columns": {**contract["columns"], "c": {"type": "string"}}, "on_drift": "evolve"}
        project.one(written, sinks=[{"name": "out", "file": {"path": "out.csv"}}])
        run = project.run()
        verdicts = model(rows, contract)
        fates = [fate(broken) for broken in verdicts]

        counts = run.sources["rows"]
        assert (counts["read"], counts["good"], counts["quarantined"], counts["dropped"], counts["filtered"]) == (
            len(rows), fates.count("good"), fates.count("quarantine"), fates.count("drop"), 0
        )  # fmt: skip
        good = [row for row, what in zip(rows, fates, strict=True) if what == "good"]
        kinds = [contract["columns"][n]["type"] for n in "ab"]
        shown = lambda row: (*("" if (v := number(t, k)) is None else str(v) for t, k in zip(row, kinds, strict=False)), row[2])  # noqa: E731
        assert project.multiset() == Counter(map(shown, good))

        versions = {r["rule"]: r["version"] for r in counts["rules"]}
        held = project.held(run)
        assert [h["record"] for h in held] == [i for i, what in enumerate(fates, 1) if what == "quarantine"]
        for h in held:
            i = h["record"] - 1
            assert sorted(h["reasons"]) == sorted(reason for reason, _ in verdicts[i])
            assert h["versions"] == [versions[reason] for reason in h["reasons"]]
            assert h["cells"] == {name: text or None for name, text in zip("abc", rows[i], strict=True)}
            assert (h["file"], h["run_id"], h["pipeline"], h["dataset"]) == ("in.csv", run.id, "p", "rows")
        assert len({h["id"] for h in held}) == len(held)
        told = Counter(reason for broken in verdicts for reason, _ in broken)
        assert {r["rule"]: r["rows"] for r in counts["rules"] if r["rows"]} == told


def test_the_number_of_violations_is_that_of_rows_whatever_becomes_of_them(project: Project) -> None:
    project.data("in.csv", ["a"], [[1], [2], [3], ["x"], [None]])
    run = project.one(
        {"columns": {"a": {"type": "int32", "required": True, "in": {"is": [1, 2], "on_violation": "warn"}}}}
    ).run()
    assert {r["rule"]: r["rows"] for r in run.sources["rows"]["rules"]} == {"a.type": 1, "a.required": 1, "a.in": 1}
    assert project.multiset() == Counter([("1",), ("2",), ("3",)])


def test_examples_show_the_first_row_of_each_reason(project: Project) -> None:
    project.data("in.csv", ["a"], [[1], [None], ["x"], ["y"]])
    run = project.one({"columns": {"a": {"type": "int32", "required": True}}}).run()
    examples = {e["rule"]: (e["record"], e["cells"]) for e in run.sources["rows"]["examples"]}
    assert examples == {"a.required": (2, {"a": ""}), "a.type": (3, {"a": "x"})}


def test_a_run_again_gives_a_row_another_id_but_the_same_place(project: Project) -> None:
    project.data("in.csv", ["a"], [["x"]])
    project.one({"columns": {"a": "int32"}})
    first, second = project.run(), project.run(force=True)
    one, two = project.held(first)[0], project.held(second)[0]
    assert one["id"] != two["id"]
    assert (one["file"], one["record"], one["reasons"], one["versions"]) == (
        two["file"],
        two["record"],
        two["reasons"],
        two["versions"],
    )


def test_state_belongs_to_the_project_folder(project: Project) -> None:
    project.data("in.csv", ["a"], [["x"]])
    run = project.one({"columns": {"a": "int32"}}).run()
    assert Path(run.sources["rows"]["quarantine"]).is_relative_to(bootstrap.state_folder(project.folder))
    assert list((bootstrap.state_folder(project.folder) / "runs").glob("*")) == []
