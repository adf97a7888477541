"""Durations are read strictly and written so that they can be read again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from headrace.business.model.durations import Duration, format_duration, parse_duration
from headrace.business.model.wording import Misworded


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("8 weeks", timedelta(weeks=8)),
        ("2 days", timedelta(days=2)),
        ("90 minutes", timedelta(minutes=90)),
        ("6h", timedelta(hours=6)),
        ("1 day 12 hours", timedelta(hours=36)),
        ("1d12h", timedelta(hours=36)),
        ("  500ms ", timedelta(milliseconds=500)),
        ("0 seconds", timedelta()),
    ],
)
def test_people_format_durations_in_many_ways(text, length):
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8", "no unit"),
        ("1.5", "no unit"),
        ("8 wekes", "did you mean `weeks`?"),
        ("8 parsecs", "weeks, days, hours"),
        ("2 months", "no fixed length"),
        ("1 year", "no fixed length"),
        ("1.5 hours", "not a duration"),
        ("-2 days", "not a duration"),
        ("2 days ago", "not a duration"),
        ("", "not a duration"),
        ("2 hours 1 day", "from the longest unit"),
        ("1 day 2 days", "each once"),
        ("6H", "did you mean `h`?"),
        ("9999999999999 weeks", "longer than time"),
        ("٣ days", "not a duration"),
    ],
)
def test_what_is_not_a_duration_is_refused_with_what_is_allowed(text, says):
    with pytest.raises(Misworded) as caught:
        parse_duration(text)
    assert says in f"{caught.value}; {caught.value.hint}"


@given(st.integers(0, 10**12))
def test_a_written_duration_reads_back(milliseconds):
    length = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(length)) == length


class _Options(BaseModel):
    every: Duration


def test_an_option_takes_text_or_a_timedelta_and_is_written_as_text():
    assert _Options(every="6h") == _Options(every=timedelta(hours=6))
    assert _Options(every="6h").model_dump_json() == '{"every":"6 hours"}'
    assert _Options.model_json_schema()["properties"]["every"]["type"] == "string"


@pytest.mark.parametrize("value", [8, 1.5, True, None, timedelta(days=-1), timedelta(microseconds=1)])
def test_an_option_without_a_unit_is_refused(value):
    with pytest.raises(ValidationError):
        _Options(every=value)
