"""Objects taken apart without changing a digit."""

from __future__ import annotations

import io
import json

import pytest

from headrace.infrastructure.formats.json_records import Unreadable, members, tidy_array
from headrace.infrastructure.formats.rejects import Rejects


def test_scalars_are_text_as_written_and_nested_values_stay_as_they_are() -> None:
    text = b' {"a": 1.10, "b": null , "c": [1,  {"x": "}"}], "d": "\\u00e9\\n", "e": true, "f": -0.0e+5, "": {}} '
    assert members(text) == {
        "a": "1.10", "b": None, "c": '[1,  {"x": "}"}]', "d": "é\n", "e": "true", "f": "-0.0e+5", "": "{}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not_json"), (b"{", "not_json"), (b'{"a"}', "not_json"), (b'{"a":}', "not_json"), (b'{"a":1 "b":2}', "not_json"),
        (b'{"a":01}', "not_json"), (b'{"a":+1}', "not_json"), (b'{"a":.5}', "not_json"), (b'{"a":1.}', "not_json"), (b"{a:1}", "not_json"),
        (b"{'a':1}", "not_json"), (b'{"a":"\n"}', "not_json"), (b'{"a":"\\x"}', "not_json"), (b'{"a":[1}', "not_json"), (b'{"a":[1]]}', "not_json"),
        (b'{"a":{"b"}}', "not_json"), (b'{"a":{1:2}}', "not_json"), (b'{"a":[,]}', "not_json"), (b'{"a":1}}', "not_json"), (b'{"a":1} x', "not_json"),
        (b'{"a":"\\ud800"}', "not_json"), (b'{"a":"\xff"}', "encoding"), (b"5", "not_an_object"), (b"[1]", "not_an_object"),
        (b'{"a":1,"a":1}', "duplicate_key"),
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused_with_a_reason(text: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        members(text)
    assert raised.value.reason == reason


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_the_items_of_an_array_do_not_depend_on_the_blocks(size: int) -> None:
    data = b' [ {"a": "x\\"],"}, {"a": [1, {"b": 2}]} ,\n{"a": 3}]\n'
    out, log = io.StringIO(), io.StringIO()
    tidy_array((data[i : i + size] for i in range(0, len(data), size)), out, Rejects(log))
    assert log.getvalue() == ""
    assert [json.loads(line)["a"] for line in out.getvalue().splitlines()] == ['x"],', '[1, {"b": 2}]', "3"]
