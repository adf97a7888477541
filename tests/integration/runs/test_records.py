"""Record numbers and raw texts are right whatever lies in between: broken lines, several files, many rows, late rules."""

from __future__ import annotations

from tests.integration.runs.project import Project

COUNT = 150_000


def test_many_rows_on_two_threads_with_a_list(project: Project) -> None:
    """A list after `in` must not lose the order of rows, by which they are numbered."""
    bad = {1, 2, 777, 40_000, 122_881, 149_999, COUNT}
    cells = ",".join
    lines = [cells([str(i), "zz" if i in bad else f"w{i % 20}"]) for i in range(1, COUNT + 1)]
    project.text("in.csv", "\n".join(["n,word", *lines, ""]))
    project.text("headrace.toml", "threads = 2\n")
    run = project.one({"columns": {"n": "int32", "word": {"in": [f"w{i}" for i in range(20)]}}}, sinks=[]).run()
    held = project.held(run)
    assert [h["record"] for h in held] == sorted(bad)
    assert [h["cells"]["n"] for h in held] == [str(i) for i in sorted(bad)]


def test_late_rules_recall_the_text_of_their_rows(project: Project) -> None:
    """Keys and references find rows whose text the scan had let go of; it is read again, of the right rows."""
    lines = [f"{5 if i in (60_000, 140_000) else i + 10},{i},p{0 if i % 50_000 == 3 else 1}" for i in range(1, COUNT + 1)]
    project.text("in.csv", "\n".join(["id,n,parent", *lines, ""]))
    project.data("parents.csv", ["id"], [["p1"], ["p1"], ["p2"]])
    project.text("headrace.toml", "threads = 2\n")
    project.define(
        sources={
            "rows": {
                "file": "in.csv",
                "contract": {"key": "id", "columns": {"id": "int64", "parent": {"references": "parents.id"}}},
            },
            "parents": {"file": "parents.csv"},
        },
        steps=[{"filter": "true", "from": "rows"}],
        sinks=[{"name": "out", "file": "out.csv"}],
    )
    run = project.run()
    held = project.held(run)
    wanted = {60_000: ["key.unique"], 140_000: ["key.unique"]} | {i: ["parent.references"] for i in (3, 50_003, 100_003)}
    assert {h["record"]: h["reasons"] for h in held} == wanted
    assert [int(h["cells"]["n"]) for h in held] == sorted(wanted)
    assert run.sources["rows"]["good"] == COUNT - 5


def test_broken_lines_between_rows_count_as_records(project: Project) -> None:
    project.text("in.csv", "a,b\n1,2\nbroken\nx,3\n4,5,6\n1,7\n1,8\n")
    run = project.one({"columns": {"a": {"type": "int32", "unique": True}}}).run()
    held = project.held(run)
    assert {h["record"]: h["reasons"] for h in held} == {
        1: ["a.unique"], 2: ["row.unreadable"], 3: ["a.type"], 4: ["row.unreadable"], 5: ["a.unique"], 6: ["a.unique"]
    }  # fmt: skip
    by_record = {h["record"]: h for h in held}
    assert (by_record[2]["text"], by_record[2]["cells"]) == ("broken", None)
    assert by_record[4]["text"] == "4,5,6"
    assert by_record[6]["cells"] == {"a": "1", "b": "8"}
    assert (run.sources["rows"]["read"], run.sources["rows"]["good"]) == (6, 0)


def test_each_file_has_its_own_numbers(project: Project) -> None:
    project.data("d/one.csv", ["a"], [[1], ["x"], [3]])
    project.data("d/two.csv", ["a"], [["y"], [5], [3]])
    project.text("d/three.csv", "a\n7\n")
    run = project.one({"columns": {"a": {"type": "int32", "unique": True}}}, path="d/*.csv").run()
    found = {(h["file"], h["record"]): (h["reasons"], h["cells"]["a"]) for h in project.held(run)}
    assert found == {
        ("d/one.csv", 2): (["a.type"], "x"), ("d/two.csv", 1): (["a.type"], "y"),
        ("d/one.csv", 3): (["a.unique"], "3"), ("d/two.csv", 3): (["a.unique"], "3"),
    }  # fmt: skip


def test_a_row_keeps_all_reasons_of_early_and_late_rules(project: Project) -> None:
    project.data("in.csv", ["k", "n"], [["a", 1], ["a", 99], ["b", 3]])
    contract = {
        "key": "k",
        "columns": {"n": {"type": "int32", "between": {"is": [0, 5], "on_violation": "warn"}}},
        "rules": {"known": {"references": "parents.id", "column": "k"}},
    }
    project.data("parents.csv", ["id"], [["b"]])
    project.define(
        sources={"rows": {"file": "in.csv", "contract": contract}, "parents": {"file": "parents.csv"}},
        sinks=[{"name": "out", "from": "rows", "file": "out.csv"}],
    )
    run = project.run()
    assert project.reasons(run) == {1: ["key.unique", "known"], 2: ["n.between", "key.unique", "known"]}
    assert project.multiset() == {("b", "3"): 1}
