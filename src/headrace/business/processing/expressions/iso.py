"""Dates and times as people write them in a definition: ISO 8601, nothing else. Not how data are read (engines do that)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from headrace.business.model.types import DataType, Date, Time, Timestamp

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
_FORMS: dict[DataType, tuple[re.Pattern[str], str]] = {
    Date(): (re.compile(_DATE), "a date is written `2013-01-31`"),
    Time(): (re.compile(_TIME), "a time is written `23:59:59`"),
    Timestamp(): (re.compile(rf"{_DATE}(?:[T ]{_TIME})?"), "a timestamp is written `2013-01-31 23:59:59`, without an offset"),
    Timestamp(zone=True): (
        re.compile(rf"{_DATE}[T ]{_TIME}(?:Z|[+-]\d{{2}}(?::?\d{{2}})?)"),
        "a timestamptz is written `2013-01-31 23:59:59+01:00`: it needs an offset, or Z for UTC",
    ),
}


def read_moment(text: str, kind: DataType) -> date | time | datetime:
    """The value of a text that stands in a definition. Raises `ValueError` with how it should be written."""
    form, advice = _FORMS[kind]
    if not form.fullmatch(text):
        raise ValueError(advice)
    try:
        if kind == Date():
            return date.fromisoformat(text)
        if kind == Time():
            return time.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError) as error:
        raise ValueError(str(error)) from None


def is_moment(kind: DataType) -> bool:
    return kind in _FORMS
