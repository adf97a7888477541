"""The parts of a definition that say when it runs and who is told: schedule, triggers, notifications. Not what the runs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from headrace.business.model.definition import Parameter
from headrace.business.model.notifications import Notification
from headrace.business.model.orchestration import Schedule, Trigger, schedule_options
from headrace.business.model.schema import did_you_mean
from headrace.business.scheduling.schedule import next_ticks
from headrace.errors import Path, Problem
from headrace.infrastructure.loading.names import completed, name_problem
from headrace.infrastructure.loading.options import Options
from headrace.infrastructure.loading.parameters import values_of
from headrace.security.secrets import Secret

#: Keys whose values are read here, with references in them replaced.
ORCHESTRATION = ("schedule", "triggers", "notify", "priority", "slots", "concurrency")
_EARLIEST = date(11, 1, 1)


def read_orchestration(
    data: Mapping[str, Any],
    lists: Mapping[str, Sequence[Any]],
    declared: Mapping[str, Parameter],
    options: Options,
    lost: set[str],
) -> dict[str, Any]:
    """The parts that there are, by their keys. `lists` holds the items of those that are lists, `lost` what is misspelt."""
    written = {
        key: options.substitution.apply(lists.get(key, data[key]), (key,), sql=False) for key in ORCHESTRATION if key in data
    }
    schedule = None
    if written.get("schedule") is not None:
        schedule = options.model(Schedule, written["schedule"], ("schedule",), schedule_options)
        written["schedule"] = schedule
    triggers = _models(Trigger, "triggers", written, options)
    notifications = _models(Notification, "notify", written, options)
    found: list[Problem] = []
    if schedule is not None:
        found += _about_schedule(schedule, declared, forgiving="params" in lost)
    for path, trigger in triggers.items():
        found += _about_params(trigger.params, path, "trigger", declared, forgiving="params" in lost)
        if trigger.pipeline is not None and trigger.pipeline == data.get("pipeline"):
            found.append(Problem("a pipeline cannot wait for itself", (*path, "pipeline"), "name the one whose data it reads"))
    names = _named(notifications, found)
    if "schedule" not in lost and (schedule is None or schedule.expect_within is None):
        found += [p for path, n in notifications.items() if (p := _never_late(path, n, "schedule" in data, schedule))]
    options.problems += found
    if "triggers" in written:
        written["triggers"] = list(triggers.values())
    if "notify" in written:
        written["notify"] = [n.model_copy(update={"name": names[path]}) for path, n in notifications.items()]
    return written


def _models(model: Any, key: str, written: Mapping[str, Any], options: Options) -> dict[Path, Any]:
    """The models of a list's items, by their paths; without those that have problems."""
    made = {(key, n): options.model(model, item, (key, n)) for n, item in enumerate(written.get(key) or ())}
    return {path: model for path, model in made.items() if model is not None}


def _named(notifications: Mapping[Path, Notification], found: list[Problem]) -> dict[Path, str]:
    taken: dict[str, Path] = {}
    for path, notification in notifications.items():
        if notification.name and (problem := name_problem(notification.name, (*path, "name"), taken)):
            found.append(problem)
    names = completed([n.name for n in notifications.values()], [n.way for n in notifications.values()], taken)
    return dict(zip(notifications, names, strict=True))


def _never_late(path: Path, notification: Notification, has_schedule: bool, schedule: Schedule | None) -> Problem | None:
    if "late" not in notification.on or (has_schedule and schedule is None):
        return None
    hint = "add `expect_within: 30 minutes`, say, to `schedule:`" + ("" if has_schedule else ", which is not there either")
    return Problem("nothing says when this pipeline is late", (*path, "on"), hint)


def _about_schedule(schedule: Schedule, declared: Mapping[str, Parameter], *, forgiving: bool) -> Iterator[Problem]:
    """What is wrong with a schedule as a part of its pipeline."""
    partition = schedule.partition
    filled = partition.param if partition else None
    if partition is not None:
        path: Path = ("schedule", "partition", "param")
        if partition.param in declared:
            if (kind := declared[partition.param].type) not in ("date", "timestamp", "string"):
                hint = "let it be of type `date`, `timestamp` or `string`"
                yield Problem(f"a tick has a date, and parameter `{partition.param}` is of type `{kind}`", path, hint)
        elif not forgiving:
            yield Problem(f"there is no parameter `{partition.param}`", path, _declare(partition.param, declared))
            return
    yield from _about_params(schedule.params, ("schedule",), "schedule", declared, filled=filled, forgiving=forgiving)
    if schedule.end is not None and not next_ticks(schedule, _long_before(schedule.end), 1):
        begins = f"between {schedule.start} and {schedule.end}" if schedule.start else f"up to {schedule.end}"
        yield Problem(f"this schedule never ticks {begins}", ("schedule", "end"), "take `end` out, or choose a later day")


def _long_before(day: date) -> datetime:
    """So long before a day that every schedule has ticked in between: there may be eight years from one 29 February to the next."""
    return datetime.combine(max(day, _EARLIEST) - timedelta(days=9 * 366), time(), UTC)


def _about_params(
    given: Mapping[str, Any],
    base: Path,
    what: str,
    declared: Mapping[str, Parameter],
    *,
    filled: str | None = None,
    forgiving: bool,
) -> Iterator[Problem]:
    """What is wrong with the values that a schedule or trigger gives to parameters. `filled` gets its value with each tick."""
    for name, value in given.items():
        path = (*base, "params", name)
        if name not in declared:
            if not forgiving:
                yield Problem(f"there is no parameter `{name}`", path, _declare(name, declared), on_key=True)
        elif isinstance(value, Secret):
            yield Problem(f"a secret cannot stand in `{name}`", path, "it would be shown in plans and reports")
        elif value is not None:
            _, problems = values_of({name: declared[name]}, {name: value})
            yield from (Problem(p.message, path, p.hint) for p in problems)
    for name, parameter in declared.items():
        if parameter.required and parameter.default is None and name != filled and given.get(name) is None:
            hint = f"add `params: {{{name}: ...}}`" + (
                f", or `partition: {name}` for the tick's date" if what == "schedule" else ""
            )
            yield Problem(f"parameter `{name}` is required, and this {what} gives it no value", base, hint, on_key=True)


def _declare(name: str, declared: Mapping[str, Parameter]) -> str:
    return did_you_mean(name, declared) if declared else f"declare it: params: {{{name}: {{type: date}}}}"
