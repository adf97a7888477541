"""Documents of the standard as contracts: what becomes of each part, and what is refused by name and place."""

import pytest

from headrace.business.model.contract import Contract
from headrace.errors import DefinitionError
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.odcs.reading import load_odcs, read_odcs

HEAD = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1.0.0", "status": "active"}


def read(*properties, **of_object):
    return read_odcs({**HEAD, "schema": [{"name": "orders", "properties": list(properties), **of_object}]})


def problems(*properties, **of_object):
    with pytest.raises(DefinitionError) as caught:
        read(*properties, **of_object)
    return [(p.path[2:], p.message, p.hint) for p in caught.value.problems]


def column(element):
    (found,) = read({"name": "a", **element}).contract.columns.values()
    return found


def same(element, written):
    return column(element) == Contract.model_validate({"columns": {"a": written}}).columns["a"]


# Types and their options


@pytest.mark.parametrize(
    ("element", "kind"),
    [
        ({"logicalType": "string"}, "string"),
        ({"logicalType": "string", "physicalType": "VARCHAR(18)"}, "string"),
        ({"logicalType": "string", "physicalType": "int"}, "string"),
        ({"logicalType": "integer"}, "int64"),
        ({"logicalType": "integer", "physicalType": "smallint"}, "int16"),
        ({"logicalType": "integer", "physicalType": "NUMBER(10,0)"}, "int64"),
        ({"logicalType": "integer", "physicalType": "smallint", "logicalTypeOptions": {"format": "u32"}}, "uint32"),
        ({"logicalType": "number"}, "float64"),
        ({"logicalType": "number", "physicalType": "DECIMAL(15, 2)"}, "decimal(15, 2)"),
        ({"logicalType": "number", "physicalType": "NUMBER(15, 2)"}, "decimal(15, 2)"),
        ({"logicalType": "number", "physicalType": "double precision"}, "float64"),
        ({"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}, "float32"),
        ({"logicalType": "boolean"}, "boolean"),
        ({"logicalType": "date"}, "date"),
        ({"logicalType": "date", "physicalType": "TIMESTAMP"}, "date"),
        ({"logicalType": "timestamp"}, "timestamp"),
        ({"logicalType": "timestamp", "physicalType": "timestamp with time zone"}, "timestamptz"),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}, "timestamptz"),
        ({"logicalType": "time"}, "time"),
        ({"logicalType": "array", "items": {"logicalType": "integer"}}, "list<int64>"),
        ({"logicalType": "object"}, "json"),
        (
            {
                "logicalType": "object",
                "properties": [{"name": "x", "logicalType": "string"}, {"name": "y", "logicalType": "array"}],
            },
            "struct<x: string, y: list<json>>",
        ),
        ({"physicalType": "bigint"}, "int64"),
    ],
)
def test_the_logical_type_says_what_and_the_physical_how_exactly(element, kind):
    assert str(column(element).type) == kind


def test_a_type_that_the_document_does_not_say_is_inferred():
    assert column({}).type is None
    assert column({"physicalType": "GEOGRAPHY"}).type is None


@pytest.mark.parametrize(
    ("element", "written"),
    [
        ({"logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "maximum": 9}}, {"type": "int64", "between": [1, 9]}),
        ({"logicalType": "integer", "logicalTypeOptions": {"minimum": 1}}, {"type": "int64", "at_least": 1}),
        ({"logicalType": "number", "logicalTypeOptions": {"maximum": 1.5}}, {"type": "float64", "at_most": 1.5}),
        (
            {"logicalType": "integer", "logicalTypeOptions": {"exclusiveMinimum": 0, "exclusiveMaximum": 9}},
            {"type": "int64", "above": 0, "below": 9},
        ),
        ({"logicalType": "date", "logicalTypeOptions": {"minimum": "2013-01-01"}}, {"type": "date", "at_least": "2013-01-01"}),
        (
            {"logicalType": "string", "logicalTypeOptions": {"minLength": 2, "maxLength": 3, "pattern": "^[A-Z]+$"}},
            {"type": "string", "length": {"min": 2, "max": 3}, "matches": "^[A-Z]+$"},
        ),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}}, {"type": "date", "format": "%d.%m.%Y"}),
        (
            {"logicalType": "timestamp", "logicalTypeOptions": {"format": "yyyy-MM-ddTHH:mm:ssZ"}},
            {"type": "timestamp", "format": "%Y-%m-%dT%H:%M:%S%z"},
        ),
        (
            {"logicalType": "timestamp", "logicalTypeOptions": {"format": "d MMM yy 'o''clock' hh:mm a"}},
            {"type": "timestamp", "format": "%-d %b %y o'clock %I:%M %p"},
        ),
        ({"logicalType": "string", "required": True, "unique": True}, {"type": "string", "required": True, "unique": True}),
        ({"logicalType": "string", "required": False}, {"type": "string"}),
        (
            {"logicalType": "string", "enum": [{"value": "a", "label": "A"}, {"value": None}, {"value": "b"}]},
            {"type": "string", "in": ["a", "b"]},
        ),
        (
            {"logicalType": "string", "physicalName": "A_1", "classification": "pii", "description": "d"},
            {"type": "string", "source": "A_1", "classification": "pii", "description": "d"},
        ),
    ],
)
def test_options_of_types_are_rules(element, written):
    assert same(element, written)


def test_the_primary_key_is_ordered_by_its_positions():
    contract = read(
        {"name": "a", "primaryKey": True, "primaryKeyPosition": 2},
        {"name": "b"},
        {"name": "c", "primaryKey": True, "primaryKeyPosition": 1},
        {"name": "d", "primaryKey": True},
    ).contract
    assert contract.key.columns == ("c", "a", "d")


def test_multiples_and_lengths_of_lists_are_conditions():
    rules = read(
        {"name": "a", "logicalType": "integer", "logicalTypeOptions": {"multipleOf": 5}},
        {"name": "b", "logicalType": "array", "logicalTypeOptions": {"minItems": 1, "maxItems": 3}},
        {"name": "c", "logicalType": "number", "physicalType": "decimal(9, 2)", "logicalTypeOptions": {"multipleOf": 0.05}},
    ).contract.rules
    assert {name: rule.expression for name, rule in rules.items()} == {
        "a_multiple_of": '"a" % 5 = 0',
        "b_min_items": 'list_length("b") >= 1',
        "b_max_items": 'list_length("b") <= 3',
        "c_multiple_of": '"c" % 0.05 = 0',
    }


# Quality: rules for rows


@pytest.mark.parametrize(
    ("quality", "written"),
    [
        ({"metric": "nullValues", "mustBe": 0}, {"required": True}),
        ({"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 0, "unit": "percent"}, {"required": True}),
        ({"metric": "nullValues", "mustBeLessThan": 1}, {"required": True}),
        ({"rule": "nullValues", "mustBe": 0}, {"required": True}),
        ({"metric": "nullValues", "mustBe": 0, "severity": "warning"}, {"required": {"is": True, "on_violation": "warn"}}),
        (
            {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None, "", "N/A"]}},
            {"required": True, "not_in": ["", "N/A"]},
        ),
        ({"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": ["N/A"]}}, {"not_in": ["N/A"]}),
        ({"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["kg", "lb"]}}, {"in": ["kg", "lb"]}),
        (
            {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["kg"], "pattern": "^k"}},
            {"in": ["kg"], "matches": "^k"},
        ),
        ({"metric": "duplicateValues", "mustBe": 0}, {"unique": True}),
    ],
)
def test_metrics_that_allow_none_are_rules_for_rows(quality, written):
    assert same({"logicalType": "string", "quality": [quality]}, {"type": "string", **written})
    assert read({"name": "a", "logicalType": "string", "quality": [quality]}).checks == ()


def test_missing_words_in_a_column_that_is_no_text_are_nulls():
    quality = {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None, "N/A"]}}
    assert same({"logicalType": "integer", "quality": [quality]}, {"type": "int64", "nulls": ["", "N/A"], "required": True})


def test_a_second_pattern_is_a_rule_of_its_own():
    quality = {"metric": "invalidValues", "name": "begins", "mustBe": 0, "arguments": {"pattern": "^it's"}}
    contract = read(
        {"name": 'odd "a"', "logicalType": "string", "logicalTypeOptions": {"pattern": "x$"}, "quality": [quality]}
    ).contract
    assert contract.columns['odd "a"'].matches.is_ == "x$"
    assert contract.rules["begins"].expression == """regexp_matches("odd ""a""\", '^it''s')"""


# Quality: checks


@pytest.mark.parametrize(
    ("quality", "check"),
    [
        ({"metric": "nullValues", "mustBeLessThan": 1, "unit": "percent"}, {"null_share": {"column": "a", "below": "1%"}}),
        ({"metric": "nullValues", "mustBeLessThan": 100}, {"row_count": {"where": '"a" is null', "max": 99}}),
        (
            {"metric": "missingValues", "mustBeLessThan": 100, "arguments": {"missingValues": [None, "", "it's"]}},
            {"row_count": {"where": "\"a\" is null or \"a\" in ('', 'it''s')", "max": 99}},
        ),
        (
            {"metric": "invalidValues", "mustBeLessOrEqualTo": 2.5, "unit": "percent", "arguments": {"validValues": ["kg"]}},
            {"row_share": {"where": "not (\"a\" in ('kg'))", "max": "2.5%"}},
        ),
        ({"metric": "duplicateValues", "mustBeLessThan": 10}, {"unique": {"columns": ["a"], "max": 9}}),
        ({"metric": "duplicateValues", "mustBeLessOrEqualTo": 1, "unit": "percent"}, {"unique": {"columns": ["a"], "max_share": "1%"}}),
        (
            {"metric": "duplicateValues", "mustBeLessThan": 1, "unit": "percent"},
            {"expression": {"condition": 'count(*) = 0 or 100.0 * (count("a") - count(distinct "a")) / count(*) < 1'}},
        ),
        ({"metric": "nullValues", "mustNotBe": 5}, {"expression": {"condition": 'count_if("a" is null) <> 5'}}),
        (
            {"metric": "nullValues", "mustNotBeBetween": [1, 5], "unit": "percent"},
            {
                "expression": {
                    "condition": 'count(*) = 0 or (100.0 * count_if("a" is null) / count(*) <= 1 or '
                    '100.0 * count_if("a" is null) / count(*) >= 5)'
                }
            },
        ),
        ({"metric": "nullValues", "mustBeLessThan": 5, "name": "n", "severity": "info"}, {"name": "n", "row_count": {"where": '"a" is null', "max": 4, "on_fail": "warn"}}),
    ],
)  # fmt: skip
def test_metrics_that_allow_some_are_checks(quality, check):
    found = read({"name": "a", "logicalType": "string", "quality": [quality]})
    assert found.checks == (check,)
    assert found.contract.rules == {}


@pytest.mark.parametrize(
    ("quality", "check"),
    [
        ({"metric": "rowCount", "mustBe": 5}, {"row_count": {"min": 5, "max": 5}}),
        ({"metric": "rowCount", "mustBeGreaterThan": 5}, {"row_count": {"min": 6}}),
        ({"metric": "rowCount", "mustBeGreaterOrEqualTo": 5}, {"row_count": {"min": 5}}),
        ({"metric": "rowCount", "mustBeLessThan": 5}, {"row_count": {"max": 4}}),
        ({"metric": "rowCount", "mustBeLessThan": 4.5}, {"row_count": {"max": 4}}),
        ({"metric": "rowCount", "mustBeLessOrEqualTo": 5}, {"row_count": {"max": 5}}),
        # the standard: "equivalent to mustBeGreaterThan and mustBeLessThan"
        ({"metric": "rowCount", "mustBeBetween": [100, 120]}, {"row_count": {"min": 101, "max": 119}}),
        ({"metric": "rowCount", "mustNotBe": 0}, {"expression": {"condition": "count(*) <> 0"}}),
        ({"metric": "rowCount", "mustNotBeBetween": [1, 9]}, {"expression": {"condition": "(count(*) <= 1 or count(*) >= 9)"}}),
        ({"metric": "rowCount", "mustBe": 0}, {"row_count": {"max": 0}}),
        (
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["a", "b"]}},
            {"unique": {"columns": ["a", "b"]}},
        ),
        (
            {"metric": "duplicateValues", "mustBeLessThan": 3, "arguments": {"properties": ["a", "b"]}},
            {"unique": {"columns": ["a", "b"], "max": 2}},
        ),
    ],
)
def test_metrics_of_the_whole_object_are_checks(quality, check):
    assert read({"name": "a"}, {"name": "b"}, quality=[quality]).checks == (check,)


def test_two_rules_of_one_metric_do_not_collide():
    quality = [{"metric": "rowCount", "mustBeGreaterThan": 0}, {"metric": "rowCount", "mustBeLessThan": 10}]
    assert read({"name": "a"}, quality=quality).checks == ({"row_count": {"min": 1}}, {"row_count": {"max": 9}})


@pytest.mark.parametrize(
    ("quality", "check"),
    [
        ({"query": "SELECT COUNT(*) FROM {object}", "mustBeGreaterThan": 3}, {"row_count": {"min": 4}}),
        (
            {"query": "select count(*) from ${table} where {property} is not null;", "mustBeLessThan": 3600},
            {"row_count": {"where": '"a" is not null', "max": 3599}},
        ),
        ({"query": "select sum({property}) as total from orders", "mustBeBetween": [0, 9]}, {"expression": {"condition": '((sum("a")) > 0 and (sum("a")) < 9)'}}),
        (
            {"query": 'select avg(a) from "orders" where b in (1, 2)', "mustNotBe": 3},
            {"expression": {"condition": "(avg(a)) <> 3", "where": "b in (1, 2)"}},
        ),
        ({"query": "select count(*) > 3 from orders", "mustBe": True}, {"expression": {"condition": "(count(*) > 3) = true"}}),
        ({"query": "select max(a) from orders where a < ' from x'", "mustBe": "z"}, {"expression": {"condition": "(max(a)) = 'z'", "where": "a < ' from x'"}}),
    ],
)  # fmt: skip
def test_queries_over_the_object_are_checks(quality, check):
    assert read({"name": "a", "logicalType": "integer", "quality": [{"type": "sql", **quality}]}).checks == (check,)


def test_a_query_that_must_find_no_rows_is_a_rule_for_rows():
    quality = {
        "type": "sql",
        "name": "shipped_late",
        "query": "SELECT COUNT(*) FROM {object} WHERE shipped < ordered",
        "mustBe": 0,
    }
    found = read({"name": "a"}, quality=[quality])
    assert found.checks == ()
    assert found.contract.rules["shipped_late"].expression == "not (shipped < ordered)"


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from customers",
        "select count(*) from orders join customers using (id)",
        "select count(*) from orders o",
        "select count(*) from orders group by a",
        "select a, count(*) from orders",
        "select count(*) from (select * from orders)",
        "select (select 1) from orders",
        "with x as (select 1) select count(*) from orders",
        "select count(*) from orders; drop table orders",
        "delete from orders",
        "select count(*)",
        "select from orders",
        "select count(*) from orders where",
        "select count(*) from orders -- all of them",
        "select count(*) from read_csv('/etc/passwd')",
        "",
    ],
)
def test_other_queries_are_refused_by_name(query):
    ((path, message, _),) = problems({"name": "a", "quality": [{"type": "sql", "query": query, "mustBe": 1}]})
    assert path == ("properties", 0, "quality", 0, "query")
    assert "cannot be carried out" in message or "needs a `query`" in message


def test_rules_written_for_us_go_over_the_rest():
    found = read(
        {
            "name": "a",
            "logicalType": "integer",
            "required": True,
            "quality": [
                {
                    "type": "custom",
                    "engine": "headrace",
                    "implementation": {"required": None, "nulls": ["", "NA"], "at_least": 1},
                }
            ],
        },
        quality=[
            {"type": "custom", "engine": "headrace", "implementation": {"contract": {"on_violation": "warn", "key": ["a"]}}},
            {"type": "custom", "engine": "headrace", "name": "r", "implementation": {"rule": {"expression": "a > 0"}}},
            {
                "type": "custom",
                "engine": "headrace",
                "implementation": {"check": {"freshness": {"column": "d", "max_age": "1 day"}}},
            },
        ],
    )
    assert found.contract == Contract.model_validate(
        {
            "columns": {"a": {"type": "int64", "nulls": ["", "NA"], "at_least": 1}},
            "key": "a",
            "on_violation": "warn",
            "rules": {"r": "a > 0"},
        }
    )
    assert found.checks == ({"freshness": {"column": "d", "max_age": "1 day"}},)


def test_texts_and_schedules_are_notes_and_not_rules():
    found = read(
        {
            "name": "a",
            "logicalType": "string",
            "logicalTypeOptions": {"format": "email"},
            "quality": [{"type": "text", "description": "It was verified."}],
        },
        quality=[{"metric": "rowCount", "mustBeGreaterThan": 0, "scheduler": "cron", "schedule": "0 20 * * *"}],
    )
    assert len(found.notes) == 3
    assert "email" in found.notes[0]
    assert "It was verified." in found.notes[1]
    assert "schedule" in found.notes[2]


def test_every_check_that_is_read_can_be_made():
    found = read(
        {"name": "a", "logicalType": "string", "quality": [{"metric": "nullValues", "mustBeLessThan": 1, "unit": "percent"}]}
    )
    ((kind, options),) = found.checks[0].items()
    assert Catalog().check(kind).model_validate(options).kind == "null_share"


# Relationships


def test_relationships_are_references():
    document = {
        **HEAD,
        "schema": [
            {
                "id": "orders_obj",
                "name": "orders",
                "properties": [
                    {
                        "id": "c",
                        "name": "customer",
                        "relationships": [{"to": "customers.id"}, {"to": "schema/people_tbl/properties/pid"}],
                    },
                    {"name": "tenant"},
                ],
                "relationships": [
                    {"from": ["orders.tenant", "orders.customer"], "to": ["customers.tenant", "customers.id"], "id": "both"},
                    {"from": "schema/orders_obj/properties/c", "to": "loyalty.id", "type": "foreignKey"},
                ],
            },
            {"id": "people_tbl", "name": "people", "properties": [{"id": "pid", "name": "person"}]},
        ],
    }
    contract = read_odcs(document, "orders").contract
    assert contract.columns["customer"].references.is_ == "customers.id"
    assert {name: (rule.column, rule.references) for name, rule in contract.rules.items()} == {
        "references_people": (("customer",), "people.person"),
        "both": (("tenant", "customer"), ("customers.tenant", "customers.id")),
        "references_loyalty": (("customer",), "loyalty.id"),
    }


@pytest.mark.parametrize(
    ("relationship", "says"),
    [
        ({"to": "https://example.com/c.yaml#customers.id"}, "another document"),
        ({"to": "customers.address.zip"}, "into a struct"),
        ({"to": "schema/nope/properties/x"}, "leads to nothing"),
        ({"to": "schema/nope"}, "does not lead to a column"),
        ({"to": 5}, "is written"),
        ({}, "is written"),
        ({"to": "c.id", "from": "orders.a"}, "unknown key `from`"),
        ({"to": "c.id", "type": "friend"}, "not known here"),
    ],
)
def test_references_that_lead_nowhere_are_refused(relationship, says):
    found = problems({"name": "a", "relationships": [relationship]})
    assert says in found[0][1]


@pytest.mark.parametrize(
    ("relationship", "says"),
    [
        ({"from": ["orders.a", "orders.b"], "to": ["c.id"]}, "2 properties cannot refer to 1"),
        ({"from": "people.a", "to": "c.id"}, "must name properties of `orders`"),
    ],
)
def test_references_of_objects_that_do_not_match_are_refused(relationship, says):
    ((_, message, _),) = problems({"name": "a"}, relationships=[relationship])
    assert says in message


# Service levels


def test_latency_is_freshness_and_other_levels_are_notes():
    document = {
        **HEAD,
        "slaDefaultElement": "orders.ordered_at",
        "slaProperties": [
            {"property": "latency", "value": 4, "unit": "d"},
            {"property": "latency", "value": 1, "unit": "hours", "element": "people.at"},
            {"property": "availability", "value": "99.9", "unit": "%"},
        ],
        "schema": [{"name": "orders", "properties": []}],
    }
    found = read_odcs(document)
    assert found.checks == ({"freshness": {"column": "ordered_at", "max_age": "4 days"}},)
    assert found.notes == ("the service level `availability` is a promise about the service, which no run can check",)


# What cannot be carried out


@pytest.mark.parametrize(
    ("element", "path", "says", "hint"),
    [
        ({"logicalType": "strin"}, ("logicalType",), "`strin` is not known here", "did you mean `string`?"),
        ({"logicalType": "map", "map": {}}, ("logicalType",), "`map` cannot be read", None),
        ({"logicalType": "vector"}, ("logicalType",), "`vector` cannot be read", None),
        ({"requird": True}, ("requird",), "unknown key `requird`", "did you mean `required`?"),
        ({"required": "yes"}, ("required",), "must be true or false", None),
        ({"logicalType": "string", "logicalTypeOptions": {"minimum": 3}}, ("logicalTypeOptions", "minimum"), "unknown key", None),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "i65"}}, ("logicalTypeOptions", "format"), "`i65`", "did you mean `i64`?"),
        ({"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.1}}, ("logicalTypeOptions", "multipleOf"), "cannot be told exactly", None),
        ({"logicalType": "array", "logicalTypeOptions": {"uniqueItems": True}}, ("logicalTypeOptions", "uniqueItems"), "cannot be checked", None),
        ({"logicalType": "object", "logicalTypeOptions": {"required": ["x"]}}, ("logicalTypeOptions", "required"), "cannot be checked", None),
        ({"logicalType": "object", "properties": [{"name": "x", "required": True}]}, ("properties", 0, "required"), "inside a struct", None),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "YYYY-MM-dd"}}, ("logicalTypeOptions", "format"), "did you mean `yyyy`?", None),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "yyyy 'x"}}, ("logicalTypeOptions", "format"), "never closed", None),
        ({"logicalType": "time", "logicalTypeOptions": {"timezone": True}}, ("logicalTypeOptions", "timezone"), "with a zone", None),
        (
            {"logicalType": "timestamp", "logicalTypeOptions": {"defaultTimezone": "Australia/Sydney"}},
            ("logicalTypeOptions", "defaultTimezone"),
            "only UTC",
            None,
        ),
        ({"logicalType": "string", "logicalTypeOptions": {"pattern": "(?=x)"}}, ("logicalTypeOptions", "pattern"), "look-around", None),
        ({"enum": ["a"]}, ("enum", 0), "must be a mapping", None),
        ({"quality": {"metric": "nullValues"}}, ("quality",), "must be a list", None),
        ({"quality": [{"metric": "nulValues", "mustBe": 0}]}, ("quality", 0, "metric"), "`nulValues`", "did you mean `nullValues`?"),
        ({"quality": [{"mustBe": 0}]}, ("quality", 0, "rule"), "`None`", None),
        ({"quality": [{"metric": "rowCount", "mustBe": 0}]}, ("quality", 0, "metric"), "belongs to the quality of a schema", None),
        ({"quality": [{"metric": "nullValues"}]}, ("quality", 0), "needs one operator", None),
        ({"quality": [{"metric": "nullValues", "mustBe": 0, "mustNotBe": 1}]}, ("quality", 0), "needs one operator", None),
        ({"quality": [{"metric": "nullValues", "mustBee": 0}]}, ("quality", 0, "mustBee"), "unknown key", "did you mean `mustBe`?"),
        ({"quality": [{"metric": "nullValues", "mustBe": "none"}]}, ("quality", 0, "mustBe"), "needs a number", None),
        ({"quality": [{"metric": "nullValues", "mustBeBetween": [5, 1]}]}, ("quality", 0, "mustBeBetween"), "smaller number first", None),
        ({"quality": [{"metric": "nullValues", "mustBeBetween": [5, 6]}]}, ("quality", 0), "can ever be so", None),
        ({"quality": [{"metric": "nullValues", "mustBe": 0, "unit": "parsecs"}]}, ("quality", 0, "unit"), "`parsecs`", None),
        ({"quality": [{"metric": "nullValues", "mustBeLessThan": 200, "unit": "percent"}]}, ("quality", 0), "`200%` is not a share", None),
        ({"quality": [{"metric": "nullValues", "mustBe": 0, "severity": "meh"}]}, ("quality", 0, "severity"), "`meh`", None),
        ({"quality": [{"metric": "invalidValues", "mustBe": 0}]}, ("quality", 0, "arguments"), "needs `validValues` or a `pattern`", None),
        ({"quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"patern": "x"}}]}, ("quality", 0, "arguments", "patern"), "unknown key", None),
        ({"quality": [{"metric": "missingValues", "mustBe": 0}]}, ("quality", 0, "arguments", "missingValues"), "needs the list", None),
        ({"quality": [{"type": "custom", "engine": "soda", "implementation": "x"}]}, ("quality", 0, "engine"), "`soda` cannot be carried out", None),
        ({"quality": [{"type": "customm"}]}, ("quality", 0, "type"), "`customm`", "did you mean `custom`?"),
        ({"quality": [{"type": "custom", "engine": "headrace", "implementation": {"requird": True}}]}, (), "columns.a.requird", None),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_an_error_that_names_it(element, path, says, hint):
    found = problems({"name": "a", **element})
    assert found[0][0] == ("properties", 0, *path)
    assert says in f"{found[0][1]}"
    if hint:
        assert found[0][2] == hint


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"apiVersion": "v2.2.2"}, ("apiVersion",), "v2.2.2"),
        ({"kind": "DataProduct"}, ("kind",), "DataProduct"),
        ({"schema": []}, (), "describes no data"),
        ({"schema": "x"}, ("schema",), "must be a list"),
        ({"schemas": []}, ("schemas",), "unknown key"),
        ({"schema": [{"properties": []}]}, ("schema", 0), "needs a `name`"),
        ({"schema": [{"name": "a"}, {"name": "b"}]}, ("schema",), "several objects"),
        ({"schema": [{"name": "a", "qality": []}]}, ("schema", 0, "qality"), "unknown key"),
        (
            {"schema": [{"name": "a", "properties": [{"logicalType": "string"}]}]},
            ("schema", 0, "properties", 0),
            "needs a `name`",
        ),
    ],
)
def test_documents_of_another_kind_are_refused(change, path, says):
    with pytest.raises(DefinitionError) as caught:
        read_odcs({**HEAD, "schema": [{"name": "orders"}], **change})
    assert path in [p.path for p in caught.value.problems]
    assert says in str(caught.value)


def test_all_problems_come_at_once_with_their_places():
    text = """\
apiVersion: v3.2.0
kind: DataContract
id: x
version: 1.0.0
schema:
  - name: orders
    properties:
      - name: a
        logicalType: strin
      - name: b
        quality:
          - metric: nulValues
            mustBe: 0
"""
    with pytest.raises(DefinitionError) as caught:
        load_odcs(text, "orders.odcs.yaml")
    assert [str(p.location) for p in caught.value.problems] == ["orders.odcs.yaml:9:22", "orders.odcs.yaml:12:21"]


def test_one_of_several_objects_is_read_by_its_name():
    document = {**HEAD, "schema": [{"name": "a", "properties": [{"name": "x"}]}, {"name": "b", "properties": [{"name": "y"}]}]}
    assert list(read_odcs(document, "b").contract.columns) == ["y"]
    with pytest.raises(DefinitionError, match="did you mean"):
        read_odcs({**HEAD, "schema": [{"name": "orders"}, {"name": "people"}]}, "order")


def test_a_measure_is_not_a_column():
    found = read(
        {"name": "revenue", "semanticType": "measure", "transformLogic": "sum(x)"}, {"name": "x", "logicalType": "number"}
    )
    assert list(found.contract.columns) == ["x"]
    assert "measure" in found.notes[0]
