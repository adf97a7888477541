"""The reference page of the checks, written from what they say of themselves: their docstrings and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic.fields import FieldInfo

from headrace.business.model.durations import format_duration
from headrace.business.model.plugin import Plugin
from headrace.business.validation.checks.wording import percent
from headrace.business.validation.drift import IMPACT

_HEAD = """# Checks

Checks are the audit of a pipeline: they look at a dataset as a whole, after it is staged and before anything is published. All
checks on a dataset are measured in one pass over it. `on:` names the dataset, the last step's unless said; `name:` names the check.

```yaml
checks:
  - row_count: {min: 300_000}
  - null_share: {column: dep_delay, max: 3%}
  - name: no flight arrives before it leaves
    on: flights
    row_count: {where: air_time < 0, max: 0}
  - unique: {columns: [carrier, flight, time_hour], on_fail: warn}
```

A check has one of five outcomes:

| outcome | meaning | publishes? |
|---|---|---|
| pass | what was observed is as expected | yes |
| fail | it is not | no, unless `on_fail: warn` |
| error | the check could not be measured or judged; never taken for bad data | no, unless `on_fail: warn` |
| learning | there is not enough history to judge by | yes |
| skipped | there is nothing to judge: no rows, or no values | yes |

**No rows, no values.** A count of nothing is 0, and is judged. A share, a statistic, or an expression that comes to null is
`skipped`: whether there must be rows is for `row_count: {min: 1}` to say. Only `freshness` fails without values, because that
nothing arrived is what it looks for.

**Bounds** include themselves, but for `above` and `below`. Integers and decimals are compared exactly, so is a bound such as `0.1`
beside a decimal; floats are compared as they are. NaN lies within no bounds; a NaN in the data makes the max, the mean and the sum
NaN. Dates beside timestamps mean their midnight.

**Shares** are written `0.03` or `3%`, and compared exactly. **Durations** are written `90 minutes`, `6h` or `1 day 12 hours`.

**History** is what earlier runs measured that were published. A run over old data has the time of those data, so it is judged by what
was known before them, and learns nothing from itself.

**In a stream** a check judges windows of event time, of the length `per`; see [judge a stream](../howto/judge-a-stream.md).
"""

_ANOMALIES = """## How anomalies are found

For the time of a run, the *usual* value is the median of the values one, two, ... weeks before, as far back as `history` goes; each
weekday is so compared with itself. What is *expected* is the usual value, shifted by as much as the last seven days were above or
below theirs (the median of those differences). The *spread* is the median absolute deviation of the same points times 1.4826, but
at least `floor` of what is expected. A value is anomalous when it is more than `sensitivity` spreads away.

Fewer than four comparable runs are `learning`. Points that were anomalous do not count for those after them, unless anomalies
last for a week: then that is how things are now. Days in `except_on` are neither judged nor learnt from.

On the daily number of flights from New York in 2013, days 71 to 365, untouched or multiplied on one day:

| | alarms on real days | x 0.9 | x 0.8 | x 0.7 | x 0.5 | x 1.2 |
|---|---|---|---|---|---|---|
| this | 14 of 295, all but four on or beside holidays | 11 % | 97 % | 99 % | 100 % | 94 % |
| z-score over 14 days, 3 sigma | 4 | 8 % | 18 % | 59 % | 100 % | 27 % |
| rate of change 0.8 to 1.2 | 56 | 16 % | 41 % | 86 % | 100 % | 58 % |
"""


def checks_page(checks: Iterable[type[Plugin]]) -> str:
    """The page, in Markdown. Checks stand in alphabetical order."""
    ordered = sorted(checks, key=lambda check: check.kind)
    contents = ", ".join(f"[{check.kind}](#{check.kind})" for check in ordered)
    return "\n".join([_HEAD, f"{contents}\n", *map(_check, ordered), _kinds(), _ANOMALIES])


def _check(check: type[Plugin]) -> str:
    rows = "\n".join(_option(name, field) for name, field in check.model_fields.items())
    bare = f"A bare value stands for `{check.shorthand}`.\n\n" if check.shorthand else ""
    return f"## {check.kind}\n\n{inspect.getdoc(check)}\n\n{bare}| option | meaning | unless said |\n|---|---|---|\n{rows}\n"


def _option(name: str, field: FieldInfo) -> str:
    example = f", such as `{field.examples[0]}`" if field.examples else ""
    return f"| `{name}` | {field.description or 'The column'}{example} | {_default(field)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True, validated_data={}):
        case None | () | frozenset():
            return ""
        case timedelta() as length:
            return f"`{format_duration(length)}`"
        case Decimal() as share:
            return f"`{percent(share).replace(' ', '')}`"
        case tuple() as words:
            return ", ".join(f"`{word}`" for word in words)
        case value:
            return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kinds() -> str:
    """What each change of a schema does to those who read the data."""
    words = {"compatible": "readers go on", "approval": "needs approval", "breaking": "breaks readers"}
    rows = "\n".join(f"| `{kind}` | {words[impact]} |" for kind, impact in IMPACT.items())
    return f"## Changes of a schema\n\n| change | effect |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    import sys
    from importlib.metadata import entry_points

    sys.stdout.write(checks_page(entry.load() for entry in entry_points(group="headrace.checks")))
