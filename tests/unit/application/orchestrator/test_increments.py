"""What is left to do, decided from the ledgers of the targets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.unit.application.orchestrator.stand_ins import StandInSink, StandInSource

from headrace.application.orchestrator.increments import checkpoint_name, identity, outstanding
from headrace.business.model.definition import Definition, Incremental, SinkDefinition, SourceDefinition
from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.ports import Checkpoint, InputFile, ParquetScan
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Path("/project")


def file(name: str, content: str = "") -> InputFile:
    return InputFile(f"/project/{name}", 1, 1, content or name)


def same(found: InputFile) -> InputFile:
    return found


def plan_of(files: Sequence[InputFile], *sinks: str, mode: str = "append") -> Plan:
    definition = Definition(
        pipeline="p",
        sources={"a": SourceDefinition(plugin=StandInSource(), incremental=Incremental())},
        sinks=tuple(SinkDefinition(name=s, plugin=StandInSink(mode=mode)) for s in sinks),  # type: ignore[arg-type]
    )
    return build_plan(definition, {"a": Resolved(ParquetScan(Schema.of(x=Integer(64)), tuple(files)))})


def held(name: str, *files: InputFile) -> Checkpoint:
    """A publication of these files, remembered by their place in the project."""
    return Checkpoint(name, "p", "r", NOW, {"a": [replace(f, path=f.path.removeprefix("/project/")) for f in files]})


def test_only_files_that_the_target_does_not_hold_are_read() -> None:
    plan = plan_of([file("1"), file("2"), file("3")], "out")
    work = outstanding(plan, {"out": [held("c1", file("1")), held("c2", file("2"))]}, same, HERE)
    assert [f.path for f in work.files["a"]] == ["/project/3"]
    assert not work.nothing_new
    assert not work.more


def test_a_project_that_was_moved_still_knows_what_was_loaded() -> None:
    elsewhere = [replace(file("1"), path="/elsewhere/1"), replace(file("2"), path="/elsewhere/2")]
    work = outstanding(plan_of(elsewhere, "out"), {"out": [held("c1", file("1"))]}, same, Path("/elsewhere"))
    assert [f.path for f in work.files["a"]] == ["/elsewhere/2"]


def test_a_file_whose_content_changed_is_new() -> None:
    plan = plan_of([file("1", "changed")], "out")
    assert len(outstanding(plan, {"out": [held("c1", file("1"))]}, same, HERE).files["a"]) == 1


def test_nothing_new_when_every_target_holds_everything() -> None:
    plan = plan_of([file("1")], "out", "too")
    ledgers = {"out": [held("c1", file("1"))], "too": [held("c9", file("1"))]}
    assert outstanding(plan, ledgers, same, HERE).nothing_new


def test_a_sink_that_a_crash_left_behind_catches_up_alone_before_anything_new() -> None:
    """`out` holds file 1, `too` does not, file 2 is new to both: first file 1 for `too` only, then the rest."""
    plan = plan_of([file("1"), file("2")], "out", "too")
    work = outstanding(plan, {"out": [held("c1", file("1"))], "too": []}, same, HERE)
    assert [f.path for f in work.files["a"]] == ["/project/1"]
    assert [s.name for s in work.sinks] == ["too"]
    assert work.more
    after = outstanding(plan, {"out": [held("c1", file("1"))], "too": [held("c1", file("1"))]}, same, HERE)
    assert [f.path for f in after.files["a"]] == ["/project/2"]
    assert [s.name for s in after.sinks] == ["out", "too"]
    assert not after.more


def name_of(plan: Plan, inputs: object = "same", params: dict[str, str] | None = None, run: str = "r1") -> str:
    return checkpoint_name(plan, plan.sinks[0], params or {}, {"a": inputs}, run)


def test_a_publication_is_named_after_data_and_not_after_the_run() -> None:
    plan = plan_of([file("1")], "out")
    assert name_of(plan, run="r1") == name_of(plan, run="r2")
    assert name_of(plan, "other") != name_of(plan)
    assert name_of(plan, params={"day": "1"}) != name_of(plan)


def test_changed_rules_give_a_new_result_but_never_append_the_same_rows_again() -> None:
    def changed(plan: Plan) -> Plan:
        sources = {"a": SourceDefinition(plugin=StandInSource(), incremental=Incremental(lag="1 day"))}
        return replace(plan, definition=plan.definition.model_copy(update={"sources": sources}))

    added, rebuilt = plan_of([file("1")], "out"), plan_of([file("1")], "out", mode="merge")
    assert added.fingerprint != changed(added).fingerprint
    assert name_of(added) == name_of(changed(added))
    assert name_of(rebuilt) != name_of(changed(rebuilt))


def test_inputs_that_cannot_be_told_apart_count_as_new() -> None:
    plan = plan_of([file("1")], "out")
    assert name_of(plan, None, run="r1") != name_of(plan, None, run="r2")


def test_a_source_is_told_by_content_where_rows_would_double_else_by_size_and_time() -> None:
    source = plan_of([file("1", "hash")], "out").sources[0]
    assert identity(source, same, HERE, content=True) == [["1", "hash"]]
    assert identity(source, same, HERE, content=False) == [["1", 1, 1]]
