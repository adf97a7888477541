"""A range of a parameter, such as `day=2024-01-01..2024-01-31`, taken apart into the values that get a run each. Pure; no runs here."""

from __future__ import annotations

import hashlib
import json
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from headrace.business.model.definition import Parameter
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError

MOST_PARTITIONS = 100_000

_EXAMPLE = "write `day=2024-01-01..2024-01-31`, or a list: `country=NO,SE`"
_STEP = re.compile(r"(?:([0-9]{1,6})\s*)?(hour|day|week|month)s?|([0-9]{1,18})")
_MEANT = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
_STEPS = "steps are `hour`, `day`, `week` and `month`, with a number before them where needed (`2 weeks`), or a whole number"
_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Backfill:
    """The runs of a backfill: one for each value of a parameter. The same request always has the same `id`."""

    id: str
    pipeline: str
    param: str
    values: tuple[str, ...]
    params: Mapping[str, Any]
    """The other parameters, the same for all."""

    def key(self, value: str) -> str:
        """By this the run of a value is known, so that a backfill that is asked for again goes on where it was."""
        return f"backfill:{self.pipeline}:{self.id}:{self.param}={value}"

    def run_params(self, value: str) -> dict[str, Any]:
        """The parameters of the run of a value."""
        return {**self.params, self.param: value}


def expand(
    pipeline: str,
    written: str,
    declared: Mapping[str, Parameter],
    *,
    step: str | None = None,
    params: Mapping[str, Any] | None = None,
    again: str = "",
) -> Backfill:
    """The backfill over a range (`first..last`, both included) or a list of values of one of the declared parameters.

    Ranges are of dates (by day unless `step` says otherwise), timestamps (by hour) or whole numbers (by 1). `again` makes another
    backfill of the same request, for values that are to run once more. Raises `UsageError`.
    """
    name, equals, text = (part.strip() for part in written.partition("="))
    if not equals or not name or not text:
        raise UsageError(f"`{written}` is not a range of a parameter", hint=_EXAMPLE)
    if name not in declared:
        raise UsageError(f"the pipeline has no parameter `{name}`", hint=did_you_mean(name, declared) if declared else _EXAMPLE)
    if name in (params or {}):
        raise UsageError(f"`{name}` is given twice: as a range and as a value", hint="take one of them out")
    kind = declared[name].type
    if ".." in text and kind in ("date", "timestamp", "int"):
        values = _range(text, kind, step)
    elif step is not None:
        raise UsageError("a step belongs to a range", hint=_EXAMPLE)
    else:
        values = _list(text, name, kind)
    given = dict(params or {})
    request = json.dumps([pipeline, name, values, given, again], sort_keys=True, default=str)
    return Backfill(hashlib.sha256(request.encode()).hexdigest()[:12], pipeline, name, values, given)


def _list(text: str, name: str, kind: str) -> tuple[str, ...]:
    values = tuple(value.strip() for value in text.split(","))
    _refuse_many(len(values))
    if "" in values:
        raise UsageError(f"a value of `{name}` is empty", hint=_EXAMPLE)
    read = tuple(_read(value, kind) for value in values)
    (most, times), *_ = Counter(map(_text, read)).most_common(1)
    if times > 1:
        raise UsageError(f"`{most}` stands {times} times in the list of `{name}`", hint="each value gets one run")
    return tuple(_text(value) for value in read)


def _range(text: str, kind: str, step: str | None) -> tuple[str, ...]:
    ends = [part.strip() for part in text.split("..")]
    if len(ends) != 2 or not all(ends):
        raise UsageError(f"`{text}` is not a range", hint=_EXAMPLE)
    first, last = (_read(end, kind) for end in ends)
    if kind == "timestamp" and (first.tzinfo is None) != (last.tzinfo is None):
        raise UsageError("one end of the range has a time zone and the other has none", hint="write both in the same way")
    if first > last:
        raise UsageError(f"the range begins with {ends[0]}, after its end {ends[1]}", hint=f"write `{ends[1]}..{ends[0]}`")
    number, unit = _step(step, kind)
    if unit == "number":
        _refuse_many((last - first) // number + 1)
        return tuple(map(str, range(first, last + 1, number)))
    if unit == "month":
        _refuse_many(((last.year - first.year) * 12 + last.month - first.month) // number + 1)
        return tuple(map(_text, _months(first, last, number)))
    length = number * _LENGTHS[unit]
    count = (last - first) // length + 1
    _refuse_many(count)
    return tuple(_text(first + n * length) for n in range(count))


def _months(first: Any, last: Any, number: int) -> Iterator[Any]:
    """Counted from the first, so that the 31st is not lost in February: 31 January, 29 February, 31 March."""
    months = first.month - 1
    while (year := first.year + months // 12) <= last.year:
        month = months % 12 + 1
        value = first.replace(year=year, month=month, day=min(first.day, monthrange(year, month)[1]))
        if value > last:
            return
        yield value
        months += number


def _step(step: str | None, kind: str) -> tuple[int, str]:
    if step is None:
        return 1, {"date": "day", "timestamp": "hour", "int": "number"}[kind]
    written = _MEANT.get(step.strip().lower(), step.strip().lower())
    found = _STEP.fullmatch(written)
    if found is None:
        raise UsageError(f"`{step}` is not a step", hint=_STEPS)
    number, unit = int(found[1] or found[3] or 1), found[2] or "number"
    if number == 0:
        raise UsageError("a step of 0 goes nowhere", hint=_STEPS)
    if (unit == "number") != (kind == "int"):
        raise UsageError(f"`{step}` is not a step of a range of {'numbers' if kind == 'int' else f'{kind}s'}", hint=_STEPS)
    if unit == "hour" and kind == "date":
        raise UsageError("dates have no hours", hint="declare the parameter as `type: timestamp`, or step by `day`")
    return number, unit


def _read(text: str, kind: str) -> Any:
    readers: Mapping[str, tuple[Callable[[str], Any], str]] = {
        "date": (date.fromisoformat, "a date such as 2024-01-31"),
        "timestamp": (datetime.fromisoformat, "a point in time such as 2024-01-31T06:00"),
        "int": (int, "a whole number"),
        "float": (float, "a number"),
    }
    if kind not in readers:
        return text
    read, what = readers[kind]
    try:
        return read(text)
    except ValueError:
        raise UsageError(f"`{text}` is not {what}", hint=_EXAMPLE) from None


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _refuse_many(count: int) -> None:
    if count > MOST_PARTITIONS:
        raise UsageError(
            f"this backfill would be {count:,} runs, more than {MOST_PARTITIONS:,}",
            hint="take a longer step or a shorter range",
        )
