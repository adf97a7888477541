"""Contracts of ours survive being written in the standard's words, and every document is valid by its official schema."""

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.business.model.contract import Contract
from headrace.infrastructure.odcs.reading import load_odcs
from headrace.infrastructure.odcs.writing import to_odcs

OFFICIAL = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
VALIDATOR = jsonschema.validators.validator_for(OFFICIAL)(OFFICIAL)


def assert_valid(text):
    assert [f"{list(e.path)}: {e.message}" for e in VALIDATOR.iter_errors(yaml.safe_load(text))] == []


def there_and_back(written, **options):
    contract = Contract.model_validate(written)
    text = to_odcs(contract, "flights", **options)
    assert_valid(text)
    return contract, load_odcs(text), text


ACTIONS = st.sampled_from(["quarantine", "drop", "fail", "warn"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
NAMES = st.one_of(
    st.sampled_from(["a", "b", "carrier", "dep_delay", "no", "1e5", "0o17", "null", "on", "2013-01-01"]), TEXTS.filter(bool)
)
INTEGERS = st.integers(-(2**40), 2**40)
FLOATS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda f: f + 0.0)
DAYS = st.dates().map(str)

#: Types, and values that a contract in YAML would hold for them.
TYPES = {
    "int8": INTEGERS, "uint64": INTEGERS, "int128": INTEGERS, "float32": FLOATS, "float64": st.one_of(FLOATS, INTEGERS),
    "decimal(15, 2)": st.one_of(FLOATS, INTEGERS), "string": TEXTS, "enum(x, y)": st.sampled_from(["x", "y"]), "date": DAYS,
    "timestamp": st.datetimes().map(lambda t: t.isoformat()), "timestamptz": st.just("2013-01-01T00:00:00+00:00"),
    "time": st.times().map(lambda t: t.isoformat()), "boolean": st.booleans(), "binary": TEXTS, "json": TEXTS, "interval": TEXTS,
    "list<int32>": TEXTS, "struct<x: int32, y: list<string>>": TEXTS,
}  # fmt: skip


def ruled(value):
    return st.one_of(value, st.fixed_dictionaries({"is": value, "on_violation": ACTIONS}))


def rules(values):
    return {
        "required": ruled(st.just(True)),
        "unique": ruled(st.just(True)),
        "in": ruled(st.lists(values, min_size=1, max_size=4)),
        "not_in": ruled(st.lists(values, min_size=1, max_size=3)),
        "between": ruled(st.tuples(st.none() | values, st.none() | values).map(list)),
        "at_least": ruled(values),
        "at_most": ruled(values),
        "above": ruled(values),
        "below": ruled(values),
        "matches": ruled(st.sampled_from(["^[A-Z]{2}$", "a|b", "[", "(?=x)"])),
        "length": ruled(st.one_of(st.integers(0, 9), st.fixed_dictionaries({"max": st.integers(0, 9)}))),
        "references": ruled(st.sampled_from(["carriers.code", "odd name.x", "a.b.c"])),
    }


@st.composite
def columns(draw):
    kind = draw(st.none() | st.sampled_from(sorted(TYPES)))
    values = TYPES.get(kind, st.one_of(TEXTS, INTEGERS, st.booleans()))
    about = {
        "source": NAMES,
        "description": TEXTS,
        "classification": st.sampled_from(["pii", "public"]),
        "nulls": st.lists(TEXTS, max_size=2),
        "trim": st.just(True),
        "format": st.sampled_from(["%d.%m.%Y", "%Y-%m-%dT%H:%M:%S%z", "%-d %B %Y o'clock", "%y%%"]),
        "decimal_mark": st.just(","),
        "thousands_mark": st.sampled_from([".", " "]),
        "true_words": st.lists(TEXTS, min_size=1, max_size=2),
        "on_violation": ACTIONS,
    }
    found = draw(st.fixed_dictionaries({}, optional=about | rules(values)))
    return found | ({"type": kind} if kind else {})


CONTRACTS = st.fixed_dictionaries(
    {"columns": st.dictionaries(NAMES, columns(), max_size=3)},
    optional={
        "key": st.one_of(st.lists(NAMES, min_size=1, max_size=2, unique=True), st.fixed_dictionaries({"columns": NAMES, "on_violation": ACTIONS})),
        "rules": st.dictionaries(
            NAMES,
            st.one_of(
                st.fixed_dictionaries({"expression": TEXTS}, optional={"nulls": st.just("fail"), "on_violation": ACTIONS, "description": TEXTS}),
                st.fixed_dictionaries({"references": st.just("carriers.code"), "column": st.just("carrier")}, optional={"on_violation": ACTIONS}),
                st.just({"references": ["w.origin", "w.hour"], "column": ["origin", "hour"], "description": "weather"}),
                st.just({"references": ["w.origin"], "column": ["origin"]}),
                st.just({"references": "w.origin"}),
            ),
            max_size=3,
        ),
        "on_violation": ACTIONS,
        "on_drift": st.one_of(st.sampled_from(["evolve", "freeze"]), st.fixed_dictionaries({"columns": st.just("discard_row")})),
        "description": TEXTS,
    },
)  # fmt: skip


@given(CONTRACTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80)
def test_every_contract_survives(written):
    contract, back, _ = there_and_back(written)
    assert back.contract == contract
    assert (back.dataset, back.checks) == ("flights", ())


def test_a_contract_is_written_in_the_words_of_the_standard_where_it_has_them():
    _, _, text = there_and_back(
        {
            "columns": {
                "id": {"type": "int64", "required": True},
                "carrier": {
                    "type": "string",
                    "matches": "^[A-Z0-9]{2}$",
                    "references": "airlines.code",
                    "classification": "public",
                },
                "distance": {"type": "int32", "between": [1, 5000], "source": "dist"},
                "day": {"type": "date", "format": "%d.%m.%Y", "at_least": "2013-01-01"},
                "status": {"type": "string", "in": ["ok", "late"], "length": {"max": 4}},
            },
            "key": ["id"],
        }
    )
    element = yaml.safe_load(text)["schema"][0]
    assert "headrace" not in text
    assert [p["name"] for p in element["properties"] if p.get("primaryKey")] == ["id"]
    distance, day, status = element["properties"][2:]
    assert distance["logicalTypeOptions"] == {"format": "i32", "minimum": 1, "maximum": 5000}
    assert distance["physicalName"] == "dist"
    assert day["logicalTypeOptions"] == {"minimum": "2013-01-01", "format": "dd.MM.yyyy"}
    assert status["enum"] == [{"value": "ok"}, {"value": "late"}]
    assert element["properties"][1]["relationships"] == [{"to": "airlines.code"}]


def test_what_the_standard_cannot_say_stands_beside_it():
    _, back, text = there_and_back(
        {"columns": {"a": {"type": "int32", "required": {"is": True, "on_violation": "warn"}, "nulls": ["", "NA"]}}}
    )
    (column,) = yaml.safe_load(text)["schema"][0]["properties"]
    assert column["required"] is True
    assert column["quality"][0]["implementation"] == {"nulls": ["", "NA"], "required": {"is": True, "on_violation": "warn"}}
    assert back.contract.columns["a"].required.on_violation == "warn"


@pytest.mark.parametrize(
    "check",
    [
        {"row_count": {"min": 300_000}},
        {"row_count": {"max": 5, "on_fail": "warn"}},
        {"row_count": {"between": [1, 5]}},
        {"name": "enough", "row_count": {"min": 1}},
        {"unique": {"columns": ["a", "b"]}},
        {"null_share": {"column": "a", "max": 0.03}},
        {"name": "sums", "expression": {"condition": "sum(a) > 0", "on_fail": "warn"}},
        {"freshness": {"column": "day", "max_age": "2 days"}},
        {"row_count_anomaly": {"history": "8 weeks", "on_fail": "warn"}},
    ],
)
def test_checks_survive_too(check):
    _, back, _ = there_and_back({"columns": {"a": {}}}, checks=[check])
    assert back.checks == (check,)


def test_the_document_names_itself():
    document = yaml.safe_load(to_odcs(Contract(), "flights", identifier="urn:x", version="2.1.0", status="draft"))
    assert [document[k] for k in ("apiVersion", "kind", "id", "name", "version", "status")] == [
        "v3.2.0", "DataContract", "urn:x", "flights", "2.1.0", "draft",
    ]  # fmt: skip


@given(st.lists(TEXTS, max_size=3, unique=True))
def test_texts_that_look_like_numbers_stay_texts(words):
    odd = ["no", "1e5", "0o17", "0x1F", "~", "12:30", "2013-01-01", "1_0.5", ".5", "+1", "yes", "True"]
    contract = Contract.model_validate(
        {"columns": {"a": {"type": "string", "in": [*words, *(w for w in odd if w not in words)]}}}
    )
    assert load_odcs(to_odcs(contract, "x")).contract == contract


def test_a_type_that_is_open_stays_open_and_is_called_so():
    contract, found, text = there_and_back({"columns": {"a": {"required": True}, "b": {}}})
    assert found.contract == contract
    assert "null" not in text
    assert text.count("type: inferred") == 2
