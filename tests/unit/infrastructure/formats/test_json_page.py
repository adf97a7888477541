"""Pages of JSON taken apart at a path: every record, as it stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.wording import Misworded
from headrace.infrastructure.formats.json_page import NoPage, page_of
from headrace.infrastructure.formats.json_path import MISSING, get, parts_of, put

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("$", ()),
        ("data", ("data",)),
        ("$.data.items", ("data", "items")),
        ("result[0].rows", ("result", 0, "rows")),
        ("$[3]", (3,)),
        ("[3]", (3,)),
        ("['@odata.nextLink']", ("@odata.nextLink",)),
        ("""a["b c"]['it\\'s']""", ("a", "b c", "it's")),
    ],
)
def test_a_path_is_names_and_indexes(path, parts):
    assert parts_of(path) == parts


@pytest.mark.parametrize(
    "path", ["", "a..b", "a[*]", "$..a", "a[-1]", "a[01]", "a.", "a b", "['a", "@odata.nextLink", "a[?(@.x)]"]
)
def test_what_may_lead_to_many_values_or_none_is_no_path(path):
    with pytest.raises(Misworded, match="not a path into JSON"):
        parts_of(path)


@given(
    before=st.dictionaries(st.text(), VALUES, max_size=3),
    records=st.lists(VALUES, max_size=5),
    indent=st.sampled_from([None, 2]),
)
def test_every_record_is_cut_out_on_a_line_of_its_own(before, records, indent):
    document = {**before, "data": [{"items": records, "n": 1}, 2]}
    page = page_of(json.dumps(document, indent=indent), ("data", 0, "items"))
    assert page.records is not None
    assert [json.loads(record) for record in page.records] == records
    assert not any("\n" in record for record in page.records)
    assert page.around == {**before, "data": [{"items": None, "n": 1}, 2]}


@given(VALUES.filter(lambda value: isinstance(value, list | dict)), st.data())
def test_a_page_that_is_cut_anywhere_is_none(value, data):
    text = json.dumps(value)
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(NoPage):
        page_of(text[:end], ())


def test_no_digit_changes():
    page = page_of('[{"a": 1.10, "b": 1e400, "c": 12345678901234567890123456789012345678}]', ())
    assert page.records == ('{"a": 1.10, "b": 1e400, "c": 12345678901234567890123456789012345678}',)


@pytest.mark.parametrize(
    ("text", "path", "records"),
    [
        ("null", (), ()),
        ('{"a": null}', ("a",), ()),
        ("[]", (), ()),
        ('{"x": 1}', (), ('{"x": 1}',)),
        ('{"a": {"x": 1}}', ("a",), ('{"x": 1}',)),
        ('{"a": 5}', ("a",), None),
        ('{"a": 5}', ("b",), None),
        ('{"a": 5}', ("a", "b"), None),
        ("[1]", ("a",), None),
    ],
)
def test_what_the_path_leads_to_is_the_records(text, path, records):
    assert page_of(text, path).records == records


@pytest.mark.parametrize("text", ["[1] 2", '{"a": 1,}', "[1,]", "{a: 1}", "[1 2]", "[" * 100_000])
def test_what_is_not_json_is_no_page(text):
    with pytest.raises(NoPage):
        page_of(text, ())


@given(VALUES, st.lists(st.text() | st.integers(0, 3), max_size=3))
def test_what_is_put_at_a_path_is_found_there(document: Any, path: list[str | int]):
    try:
        changed = put(document, path, "here")
    except ValueError:
        return
    assert get(changed, path) == "here"


def test_nothing_is_not_null():
    assert get({"a": None}, ("a",)) is None
    assert get({"a": None}, ("b",)) is MISSING
    assert get([1], (1,)) is MISSING
