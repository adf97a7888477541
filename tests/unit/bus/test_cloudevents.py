"""CloudEvents: what we write is read again as it was, and what is malformed is refused with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bus.cloudevents import read_cloudevent, to_cloudevent
from headrace.bus.store import Envelope, Origin
from headrace.errors import NonRetryableError

GOOD: dict[str, Any] = {
    "specversion": "1.0", "id": "r/1", "source": "urn:headrace:db", "type": "com.example.made", "time": "2026-01-31T12:00:00.25Z",
    "datacontenttype": "application/json; charset=utf-8", "dataschema": "https://example.com/made.json", "extra": 5, "flag": True,
    "data": {"any": ["thing", None]},
}  # fmt: skip

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


@given(
    event=st.builds(
        Envelope,
        position=st.integers(1, 2**60),
        stream=NAMES,
        number=st.integers(1, 2**60),
        type=st.sampled_from(["pipeline.started/1", "data.teleported/7"]),
        at=TIMES,
        data=st.dictionaries(st.text(), JSON, max_size=4),
        hash=st.text("0123456789abcdef", min_size=64, max_size=64),
        origin=st.builds(Origin, NAMES, NAMES, NAMES) | st.just(Origin()),
    )
)
def test_a_stored_event_comes_back_as_it_was(event: Envelope) -> None:
    written = json.dumps(to_cloudevent(event, "urn:headrace:0123"))
    found = read_cloudevent(written.encode())
    assert (found.id, found.source, found.type) == (event.id, "urn:headrace:0123", f"headrace.{event.type}")
    assert found.envelope() == event


def test_every_attribute_that_is_written_has_a_name_that_the_standard_allows() -> None:
    event = Envelope(1, "r", 1, "a.b/1", datetime.now(UTC), {}, "h", Origin("ada", "b", "c/1"))
    assert all(name.isalnum() and name == name.lower() and len(name) <= 20 for name in to_cloudevent(event, "s"))


def test_events_of_others_are_read() -> None:
    found = read_cloudevent(json.dumps(GOOD))
    assert found.time == datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
    assert (found.extensions, found.data) == ({"extra": 5, "flag": True}, {"any": ["thing", None]})
    with pytest.raises(NonRetryableError, match="none of Headrace's"):
        found.envelope()


def test_what_is_optional_may_be_missing_or_null_and_data_may_be_bytes() -> None:
    found = read_cloudevent(
        '{"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "subject": null, "data_base64": "AP8="}'
    )
    assert (found.subject, found.time, found.data) == (None, None, b"\x00\xff")


MALFORMED: dict[str, tuple[Any, str]] = {
    "without an id": ({"id": ...}, "`id` is missing"),
    "without a source": ({"source": ...}, "`source` is missing"),
    "without a type": ({"type": ...}, "`type` is missing"),
    "without a version": ({"specversion": ...}, "`specversion` is missing"),
    "of another version": ({"specversion": "0.3"}, "is `0.3`, and 1.0 is known"),
    "a version that is a number": ({"specversion": 1.0}, "`specversion` must be a text"),
    "an empty id": ({"id": ""}, "`id` must be a text that is not empty"),
    "a number as id": ({"id": 7}, "`id` must be a text"),
    "an empty subject": ({"subject": ""}, "`subject` must be a text that is not empty"),
    "a source with blanks": ({"source": "not a uri"}, "`source` is no reference"),
    "a naive time": ({"time": "2026-01-31T12:00:00"}, "no time with a zone"),
    "a day that is not": ({"time": "2026-02-30T12:00:00Z"}, "no time with a zone"),
    "a time in seconds": ({"time": 1_700_000_000}, "`time` must be a text"),
    "an upper-case attribute": ({"traceId": "x"}, "`traceId` is no name"),
    "an attribute with an underscore": ({"trace_id": "x"}, "`trace_id` is no name"),
    "an object as extension": ({"extra": {"a": 1}}, "not an object"),
    "a list as extension": ({"extra": [1]}, "not a list"),
    "a fraction as extension": ({"extra": 1.5}, "not a fraction"),
    "an integer that is too large": ({"extra": 2**31}, "`extra` is larger"),
    "control characters": ({"subject": "a\x00b"}, "characters that a text may not hold"),
    "half a pair of surrogates": ({"subject": "a\ud800b"}, "characters that a text may not hold"),
    "no media type": ({"datacontenttype": "json"}, "no media type"),
    "a relative schema": ({"dataschema": "made.json"}, "no absolute URI"),
    "data twice": ({"data_base64": "AA=="}, "exclude each other"),
    "data that are not in base64": ({"data": ..., "data_base64": "?"}, "not in base64"),
    "bytes that are a number": ({"data": ..., "data_base64": 5}, "not in base64"),
}


@pytest.mark.parametrize("how", MALFORMED)
def test_malformed_events_are_refused(how: str) -> None:
    change, said = MALFORMED[how]
    written = {name: value for name, value in (GOOD | change).items() if value is not ...}
    with pytest.raises(NonRetryableError) as caught:
        read_cloudevent(json.dumps(written))
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[]", "a batch"),
        ('"text"', "no object"),
        ('{"specversion": "1.0", "id": "1", "id": "2", "source": "s", "type": "t"}', "stands twice"),
        ('{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": NaN}', "NaN is no number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_object_in_json_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(NonRetryableError, match=said):
        read_cloudevent(text)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(NonRetryableError) as caught:
        read_cloudevent('{"specversion": "1.0", "id": "", "Source": "s", "type": "t"}')
    assert all(part in caught.value.message for part in ("`source` is missing", "`Source`", "`id` must be"))
