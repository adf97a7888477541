"""Parameters, environment and secrets in definitions."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from tests.definitions.plugins import Limit
from tests.definitions.reading import HEAD, problems, read, steps, told

from headrace.errors import DefinitionError
from headrace.security.secrets import Secret

WITH_DAY = "{day: {type: date, default: 2013-01-02}}"


def where(loaded):
    return loaded.definition.steps[0].plugin.where


def test_a_parameter_enters_sql_as_a_literal():
    assert where(steps("filter: day = ${params.day}", params=WITH_DAY)) == "day = DATE '2013-01-02'"
    assert (
        where(steps("filter: day = ${params.day}", params=WITH_DAY, given={"day": "2014-05-06"})) == "day = DATE '2014-05-06'"
    )
    assert (
        where(steps("filter: day = ${params.day}", params=WITH_DAY, given={"day": date(2014, 5, 6)}))
        == "day = DATE '2014-05-06'"
    )


@pytest.mark.parametrize("value", ["x' or 1=1 --", "'; drop table t; --", "\\", "a\nb", "${params.p}", "${secret:env/PW}"])
def test_nothing_that_is_given_is_ever_read_as_sql(value):
    expected = "'" + value.replace("'", "''") + "'"
    assert where(steps("filter: c = ${params.p}", params="{p: x}", given={"p": value})) == f"c = {expected}"
    assert where(steps("filter: ${params.p}", params="{p: x}", given={"p": value})) == expected
    assert where(steps("filter: c = '${params.p}'", params="{p: x}", given={"p": value})) == f"c = {expected}"


def test_a_whole_value_takes_the_type():
    assert steps("limit: ${params.n}", params="{n: 5}").definition.steps[0].plugin == Limit(rows=5)
    assert read(
        "pipeline: p\nparams: {n: 5}\nsources: {a: {file: {path: '${params.n}', skip: '${params.n}'}}}"
    ).definition.sources["a"].plugin.model_dump(include={"path", "skip"}) == {"path": "5", "skip": 5}


def test_a_part_of_a_text_is_text():
    loaded = read(f"pipeline: p\nparams: {WITH_DAY}\nsources: {{a: {{file: 'in/${{params.day}}/$${{x}}.csv'}}}}")
    assert loaded.definition.sources["a"].plugin.path == "in/2013-01-02/${x}.csv"


def test_the_environment():
    loaded = read("pipeline: p\nsources: {a: {file: '${env.HOME}/a.csv'}}", env={"HOME": "/home/ada"})
    assert loaded.definition.sources["a"].plugin.path == "/home/ada/a.csv"
    assert where(steps("filter: c = ${env.WHO}", env={"WHO": "o'b"})) == "c = 'o''b'"


def test_values_in_contracts_keep_their_types():
    text = "pipeline: p\nparams: {low: 1.5, who: NO, day: {type: date, default: 2013-01-02}}\nsources: {a: {file: x, contract: {columns: {c: {between: ['${params.low}', 9], in: ['${params.who}']}, d: {at_least: '${params.day}'}}, rules: {r: c > ${params.low}}}}}"
    contract = read(text).definition.sources["a"].contract
    assert contract.columns["c"].between.is_ == (1.5, 9)
    assert contract.columns["c"].in_.is_ == ("NO",)
    assert contract.columns["d"].at_least.is_ == date(2013, 1, 2)
    assert contract.rules["r"].expression == "c > 1.5e0"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "x", "x"), ("int", "-5", -5), ("float", "1.5", 1.5), ("float", "2", 2.0), ("boolean", "True", True), ("boolean", "false", False),
        ("date", "2013-01-02", date(2013, 1, 2)), ("timestamp", "2013-01-02 03:04:05", datetime(2013, 1, 2, 3, 4, 5)),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_parameters_are_read_as_their_types(kind, text, value):
    found = read(HEAD + f"params: {{p: {{type: {kind}}}}}", params={"p": text}).params["p"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "1.5"),
        ("int", "1_000"),
        ("int", "٣"),
        ("float", "x"),
        ("boolean", "yes"),
        ("date", "31/12/2013"),
        ("timestamp", "now"),
    ],
)
def test_what_is_not_of_its_type_is_told(kind, text):
    (problem,) = problems(HEAD + f"params: {{p: {{type: {kind}}}}}", params={"p": text})
    assert problem.message.startswith("parameter `p` must be")


def test_a_bare_default_says_its_type():
    declared = read(HEAD + "params: {a: 5, b: 1.5, c: true, d: x, e: 2013-01-01}").definition.params
    assert [p.type for p in declared.values()] == ["int", "float", "boolean", "string", "string"]


def test_what_is_missing_is_told():
    needy = HEAD + "params: {p: {type: int, required: true}}\nsteps: [{limit: '${params.p}'}]"
    assert [(str(p), p.hint) for p in problems(needy)] == [
        ("f.yaml:3:10: parameter `p` has no value\n    give it: --param p=...", "give it: --param p=...")
    ]
    assert read(needy, stand_ins=True).definition.steps[0].plugin == Limit(rows=1)
    (unknown,) = problems(HEAD + "params: {day: x}", params={"dya": "y"})
    assert unknown.hint == "did you mean `day`?"


def test_mistaken_references_are_told_at_their_place():
    text = (
        HEAD
        + "params: {day: x}\nsteps:\n  - filter: a = ${params.dya} or b = '${parms.day}'\n  - derive: {x: ${day}, y: '${params.day', z: ${env.NONE}}\nsinks: [{postgres: {url: '${secret:vualt/x}', table: t}}]"
    )
    assert [(f"{p.location.line}:{p.location.column}", p.message, p.hint) for p in problems(text)] == [
        ("5:17", "there is no parameter `dya`", "did you mean `day`?"),
        ("5:39", "`${parms.day}` refers to nothing", "did you mean `${params.day}`?"),
        ("6:17", "`${day}` refers to nothing", "did you mean `${params.day}`?"),
        ("6:29", "this `${` is not closed", "close it with `}`, or write `$${` for a plain `${`"),
        ("6:47", "there is no environment variable `NONE`", "set it before the run, or use a parameter with a default"),
        ("7:27", "there is no secret provider `vualt`", "allowed: env, file"),
    ]


def test_a_text_in_a_step_that_is_no_sql_takes_no_part():
    assert told(HEAD + "params: {c: x}\nsteps: [{clean: {trim: ['a_${params.c}']}}]") == [
        "4:28: a reference cannot stand within this text"
    ]
    whole = steps("clean: {trim: ['${params.c}']}", params="{c: x}")
    assert whole.definition.steps[0].plugin.trim == ("x",)


def test_offsets_behind_a_reference_lead_to_what_was_written():
    loaded = steps("filter: a = ${params.day} and b > 1", params=WITH_DAY)
    written, finished = "a = ${params.day} and b > 1", where(loaded)
    path = ("steps", 0, "filter", "where")
    start = loaded.places.of(path, offset=0).column
    for word in ("a =", "and", "b >", "1"):
        assert loaded.places.of(path, offset=finished.index(" " + word) + 1 if word != "a =" else 0).column == start + (
            written.index(" " + word) + 1 if word != "a =" else 0
        )
    assert loaded.places.of(path, offset=finished.index("DATE") + 3).column == start + written.index("${")


SINK = "sinks: [{{postgres: {{url: '{}', table: t}}}}]"


def test_secrets_stay_references_until_they_are_used():
    loaded = read(
        HEAD + "params: {db: x}\n" + SINK.format("pg://u:${secret:env/PW}@h/${params.db}"),
        env={"PW": "cAn4ry"},
        params={"db": "${secret:env/HOME}"},
    )
    url = loaded.definition.sinks[0].plugin.url
    assert isinstance(url, Secret)
    assert url.reveal() == "pg://u:cAn4ry@h/${secret:env/HOME}"
    for text in (str(loaded), repr(loaded.definition), loaded.definition.model_dump_json(), str(loaded.document)):
        assert "cAn4ry" not in text


def test_a_secret_that_is_not_there_does_not_stop_the_loading():
    assert problems(HEAD + SINK.format("${secret:env/NOT_THERE}")) == []


def test_a_secret_stands_only_where_it_is_kept():
    assert told(HEAD + "steps: [{filter: c = '${secret:env/PW}'}]", env={"PW": "cAn4ry"}) == [
        "3:18: a secret cannot stand in `filter`"
    ]
    assert told("pipeline: p\nsources: {a: {file: '${secret:env/PW}'}}") == ["2:21: a secret cannot stand in `file`"]


def test_problems_show_what_was_written_and_not_what_was_put_in():
    with pytest.raises(DefinitionError) as caught:
        steps("limit: ${env.PW}", env={"PW": "cAn4ry"})
    assert "cAn4ry" not in str(caught.value)
    assert "${env.PW}" in str(caught.value)
