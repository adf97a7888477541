"""Pipelines put together in Python are the pipelines of YAML."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.definitions.plugins import OnlyThese
from tests.definitions.reading import read

import headrace
from headrace import Pipeline, bootstrap, check, contract, sink, source, step
from headrace.bootstrap import parts
from headrace.errors import DefinitionError, UsageError
from headrace.infrastructure.loader import build, load_text

CATALOG = OnlyThese()


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.setattr(parts, "catalog", lambda: CATALOG)
    monkeypatch.setattr(bootstrap, "catalog", lambda: CATALOG)


def flights() -> Pipeline:
    return (
        Pipeline("flights", description="Departures")
        .param("day", type="date", default=date(2013, 1, 1))
        .param("top", 5)
        .retry(attempts=5, base_delay=timedelta(seconds=2), budget="1 hour")
        .timeout("90 minutes")
        .read(
            flights=source.file(path="data/${params.day}.csv", skip=1),
            contract=contract(
                columns={
                    "year": {"type": "int32", "required": True},
                    "carrier": {"type": "string", "in": ["AA", "NO", 1]},
                    "delay": {"type": "float64", "between": (-120, Decimal("2000.5")), "nulls": ["NA"]},
                    "flown_on": "date",
                },
                key=["year", "carrier"],
                rules={"moves": "origin <> dest", "known": {"references": "airlines.carrier", "column": "carrier"}},
            ),
        )
        .read(airlines=source.file("data/airlines.csv"))
        .apply(step.filter("flown_on >= ${params.day}"), step.derive(speed="distance / 60.0", one=1))
        .apply(step.limit("${params.top}"), name="top", from_="filter")
        .check(check.row_count(min=300_000), check.row_count_anomaly(history="8 weeks"))
        .check(check.null_share(column="delay", max=0.03), on="top", name="delays")
        .write(sink.file(path="out/", partition_by=["year"]))
        .write(sink.postgres(url="${secret:env/PG}", table="t"), from_="filter")
        .schedule("0 6 * * *", timezone="Europe/Berlin", start=date(2013, 1, 1), partition="day", expect_within="1 hour")
        .trigger(file=Path("incoming/*.csv"))
        .trigger(pipeline="airports", params={"top": 7})
        .notify(["failed", "late"], webhook="${secret:env/ALERT_URL}", after=2)
        .notify("recovered", email={"to": "a@example.com", "from": "b@example.com", "server": "mail:25"}, name="mail")
        .queue(priority=5, slots={"warehouse": 1}, concurrency=2)
        .test("none", rows={"flights": [{"distance": -3}]}, expect={"quarantined": [{"reasons": ["distance.between"]}]})
    )


YAML = """\
pipeline: flights
description: Departures
params:
  day: {type: date, default: 2013-01-01}
  top: 5
retry: {attempts: 5, base_delay: 2 seconds, budget: 1 hour}
timeout: 90 minutes
sources:
  flights:
    file: {path: 'data/${params.day}.csv', skip: 1}
    contract:
      columns:
        year: {type: int32, required: true}
        carrier: {type: string, in: [AA, NO, 1]}
        delay: {type: float64, between: [-120, 2000.5], nulls: [NA]}
        flown_on: date
      key: [year, carrier]
      rules:
        moves: origin <> dest
        known: {references: airlines.carrier, column: carrier}
  airlines: {file: data/airlines.csv}
steps:
  - filter: flown_on >= ${params.day}
  - derive: {speed: distance / 60.0, one: 1}
  - {name: top, from: filter, limit: '${params.top}'}
checks:
  - row_count: {min: 300_000}
  - row_count_anomaly: {history: 8 weeks}
  - {name: delays, on: top, null_share: {column: delay, max: 0.03}}
sinks:
  - file: {path: out/, partition_by: [year]}
  - {from: filter, postgres: {url: '${secret:env/PG}', table: t}}
schedule: {cron: 0 6 * * *, timezone: Europe/Berlin, start: 2013-01-01, partition: day, expect_within: 1 hour}
triggers:
  - file: incoming/*.csv
  - {pipeline: airports, params: {top: 7}}
notify:
  - {on: [failed, late], webhook: '${secret:env/ALERT_URL}', after: 2}
  - {on: recovered, email: {to: a@example.com, from: b@example.com, server: 'mail:25'}, name: mail}
priority: 5
slots: {warehouse: 1}
concurrency: 2
tests:
  - name: none
    rows: {flights: [{distance: -3}]}
    expect: {quarantined: [{reasons: [distance.between]}]}
"""


def test_both_forms_of_a_pipeline_are_equal():
    assert flights().definition == read(YAML).definition


def test_parameters_are_given_in_both_forms():
    given_ = {"day": "2014-01-01", "top": 9}
    assert flights().load(given_).definition == read(YAML, params=given_).definition
    assert flights().load(given_).definition != flights().definition


def test_each_method_gives_a_new_pipeline():
    start = Pipeline("p").read(a=source.file("a.csv"))
    first, second = start.apply(step.limit(1)), start.apply(step.limit(2))
    assert [len(p.definition.steps) for p in (start, first, second)] == [0, 1, 1]
    assert first.definition != second.definition


def test_a_word_of_pythons_takes_an_underscore():
    assert (
        Pipeline("p").read(a=source.file("x"), b=source.file("y")).apply(step.join(with_="b")).definition.steps[0].plugin.with_
        == "b"
    )


def test_problems_are_told_with_the_line_of_the_call():
    line = sys._getframe().f_lineno
    pipeline = Pipeline("p").read(a=source.file("x"))
    pipeline = pipeline.apply(step.limit("many"))
    pipeline = pipeline.check(
        check.row_count(mni=1),
    )
    with pytest.raises(DefinitionError) as caught:
        _ = pipeline.definition
    assert [(Path(p.location.file).name, p.location.line - line, p.message, p.hint) for p in caught.value.problems] == [
        ("test_face.py", 2, "`limit` must be a whole number, not `many`", None),
        ("test_face.py", 3, "unknown key `mni`", "did you mean `min`?"),
    ]


def test_a_later_word_about_retries_or_time_takes_the_place_of_an_earlier_one():
    pipeline = Pipeline("p").read(a=source.file("x")).retry(attempts=9).timeout("1 hour")
    again = pipeline.retry(budget="1 minute").timeout("2 hours")
    assert (again.definition.retry.attempts, again.definition.timeout) == (3, timedelta(hours=2))
    assert pipeline.definition.retry.attempts == 9


def test_wrong_words_about_retries_are_told_with_the_line_of_the_call():
    line = sys._getframe().f_lineno
    pipeline = Pipeline("p").read(a=source.file("x"))
    pipeline = pipeline.retry(attempts=0, budget="soon")
    pipeline = pipeline.timeout("2")
    with pytest.raises(DefinitionError) as caught:
        _ = pipeline.definition
    assert [(p.location.line - line, p.message) for p in caught.value.problems] == [
        (2, "`attempts` must be at least 1, not `0`"),
        (2, "`soon` is not a duration"),
        (3, "`2` has no unit"),
    ]


def test_problems_of_schedules_are_told_with_the_line_of_the_call():
    line = sys._getframe().f_lineno
    pipeline = Pipeline("p").read(a=source.file("x")).schedule("0 6 * * *")
    pipeline = pipeline.schedule(every="1 month")
    pipeline = pipeline.trigger()
    pipeline = pipeline.notify(on="failed")
    pipeline = pipeline.queue(concurrency=0)
    with pytest.raises(DefinitionError) as caught:
        _ = pipeline.definition
    assert [(p.location.line - line, p.message) for p in caught.value.problems] == [
        (2, "a month has no fixed length"),
        (3, "this trigger waits for nothing"),
        (4, "this notification says not how"),
        (5, "`concurrency` must be at least 1, not `0`"),
    ]


def test_the_last_schedule_counts():
    pipeline = Pipeline("p").read(a=source.file("x")).schedule("0 6 * * *").schedule(every="1 day")
    assert pipeline.definition.schedule == Pipeline("q").read(a=source.file("x")).schedule(every="1 day").definition.schedule


def test_unknown_plugins_say_what_was_meant():
    with pytest.raises(AttributeError, match="did you mean `filter`"):
        _ = step.filtr
    assert {"filter", "limit"} <= set(dir(step))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: step.limit(1, rows=2), "not both"),
        (lambda: Pipeline("p").apply(check.row_count()), "this takes a step"),
        (lambda: Pipeline("p").read(a="x.csv"), "this takes a source"),
        (lambda: Pipeline("p").read(a=source.file("x"), b=source.file("y"), contract=contract()), "belongs to one source"),
        (lambda: Pipeline("p").apply(step.limit(1), step.limit(2), name="n"), "belongs to one of the steps"),
    ],
)
def test_calls_that_make_no_sense_are_refused(call, said):
    with pytest.raises(UsageError, match=said):
        call()


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True).filter(lambda n: n not in ("input", "contract"))
VALUES = (
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "NO", "1.5", "x y"])
)


@given(
    st.dictionaries(NAMES, st.sampled_from(["int32", "string", "date"]), max_size=3),
    st.lists(
        st.tuples(st.just("limit"), st.integers(0, 99))
        | st.tuples(st.just("filter"), VALUES)
        | st.tuples(st.just("derive"), st.dictionaries(NAMES, VALUES, min_size=1, max_size=2)),
        max_size=4,
    ),
)
def test_what_python_builds_yaml_builds(columns, steps):
    import json

    pipeline = (
        Pipeline("p")
        .read(a=source.file("x"), contract=contract(columns=columns))
        .apply(*(getattr(step, kind)(value) for kind, value in steps))
    )
    made = build(pipeline.document, {}, catalog=CATALOG).definition
    assert load_text(json.dumps(pipeline.document), catalog=CATALOG).definition == made


def test_running_and_planning_are_handed_on(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        bootstrap, "run", lambda loaded, **options: seen.append((loaded.definition.pipeline, loaded.project, options)) or "ran"
    )
    monkeypatch.setattr(bootstrap, "plan", lambda loaded: seen.append(loaded.params) or "planned")
    pipeline = Pipeline("p", project=tmp_path).param("n", 1).read(a=source.file("x"))
    assert pipeline.run({"n": 2}, force=True) == "ran"
    assert headrace.plan(pipeline) == "planned"
    assert seen == [("p", tmp_path, {"params": {"n": 2}, "force": True}), {"n": 1}]
    file = tmp_path / "p.yaml"
    file.write_text("pipeline: from_file\nsources: {a: {file: x}}\n")
    assert headrace.run(file) == "ran"
    assert seen[-1][:2] == ("from_file", tmp_path)


def test_the_door_is_lazy():
    code = (
        "import sys, headrace; heavy = {'pydantic', 'yaml', 'sqlglot', 'duckdb', 'pyarrow', 'rich', 'typer', 'headrace.face'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "from headrace import Pipeline, step;"
        "assert not (heavy - {'headrace.face'}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_door_shows_what_there_is():
    assert (
        set(dir(headrace))
        == set(headrace.__all__)
        == {"Pipeline", "check", "contract", "plan", "run", "sink", "source", "step"}
    )
    with pytest.raises(AttributeError):
        _ = headrace.nothing_of_the_kind
