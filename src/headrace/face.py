"""For people who write pipelines in Python: the same definitions as in YAML, put together by calls. Nothing here runs anything itself.

    from headrace import Pipeline, check, contract, sink, source, step

    flights = (
        Pipeline("flights")
        .read(flights=source.file("data/flights.csv"), contract=contract(columns={"carrier": {"type": "string", "required": True}}))
        .apply(step.filter("dep_delay > 0"), step.derive(speed_mph="distance / (air_time / 60.0)"))
        .check(check.row_count(min=1))
        .write(sink.file(path="out/flights/", format="parquet"))
    )
    flights.run()

An option whose name is a word of Python's takes a `_` behind it: `in_=[...]`. Problems are found when the definition is
asked for, all at once, each with the line of the call that made the part.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from headrace.errors import Location, UsageError
from headrace.records import record

if TYPE_CHECKING:
    from headrace.application.queries.runs import RunView
    from headrace.business.model.definition import Definition, Loaded
    from headrace.business.processing.plan import Plan

__all__ = ["Pipeline", "check", "contract", "plan", "run", "sink", "source", "step"]

_Place = tuple[str | int, ...]


@record
class Part:
    """A source, step, check or sink by the name of its plugin, with its options as they were written."""

    group: str
    kind: str
    options: Any


class Shelf:
    """The plugins of a group: `step.filter("x > 0")`. One positional value is what stands behind the name in YAML."""

    def __init__(self, group: str) -> None:
        self._group = group

    def __getattr__(self, kind: str) -> Callable[..., Part]:
        from headrace import bootstrap

        if kind.startswith("__"):
            raise AttributeError(kind)
        try:
            bootstrap.catalog().find(self._group, kind.removesuffix("_"))
        except UsageError as error:
            raise AttributeError(str(error)) from None
        return lambda *value, **options: _part(self._group, kind.removesuffix("_"), value, options)

    def __dir__(self) -> Iterable[str]:
        from headrace import bootstrap

        return bootstrap.catalog().names(self._group)


def _part(group: str, kind: str, value: tuple[Any, ...], options: Mapping[str, Any]) -> Part:
    if len(value) > 1 or (value and options):
        raise UsageError(f"`{kind}` takes one value or options by name, not both", hint=f"name all options: {kind}(option=...)")
    return Part(group, kind, _plain(value[0]) if value else _named(options))


source = Shelf("sources")
step = Shelf("steps")
check = Shelf("checks")
sink = Shelf("sinks")


def contract(**options: Any) -> dict[str, Any]:
    """What a dataset promises: `contract(columns={"year": "int32"}, key=["year"], rules={...}, on_violation="quarantine")`."""
    return _named(options)


@record
class Pipeline:
    """A pipeline in the making. Each method gives a new one, so that several can grow out of one beginning.

    Relative paths are meant from the folder `project`.
    """

    name: str
    description: str | None = None
    engine: str | None = None
    project: str | Path = "."
    _parts: tuple[tuple[_Place, Any, Location], ...] = ()

    def read(
        self,
        *,
        contract: Any = None,
        incremental: Mapping[str, Any] | None = None,
        watermark: str | Mapping[str, Any] | None = None,
        **sources: Part,
    ) -> Pipeline:
        """Read datasets, by name. A contract, what is read of it each time, or its event time belongs to a single one."""
        given = {"contract": contract, "incremental": incremental, "watermark": watermark}
        beside = {key: _plain(value) for key, value in given.items() if value is not None}
        if beside and len(sources) != 1:
            raise UsageError(
                f"`{next(iter(beside))}` belongs to one source", hint="read each source that has one in a call of its own"
            )
        return self._with([(("sources", name), {**_written(part, "sources"), **beside}) for name, part in sources.items()])

    def apply(self, *steps: Part, name: str | None = None, from_: str | None = None) -> Pipeline:
        """Apply steps, one after the other. `name` and `from_` belong to a single one."""
        return self._listed("steps", steps, {"name": name, "from": from_})

    def check(self, *checks: Part, name: str | None = None, on: str | None = None) -> Pipeline:
        """Audit the result, or the dataset `on`, before anything is published."""
        return self._listed("checks", checks, {"name": name, "on": on})

    def write(self, *sinks: Part, name: str | None = None, from_: str | None = None) -> Pipeline:
        """Publish the result, or the dataset `from_`."""
        return self._listed("sinks", sinks, {"name": name, "from": from_})

    def stream(self, checkpoint: str | None = None, **options: Any) -> Pipeline:
        """How a pipeline without end works: `stream("100 ms", state="shared")`. The last call counts."""
        given = options if checkpoint is None else {"checkpoint": checkpoint, **options}
        return self._with([(("stream",), given)])

    def schedule(self, cron: str | None = None, **options: Any) -> Pipeline:
        """Run it by itself: `schedule("0 6 * * *", timezone="Europe/Berlin")`, `schedule(every="15 minutes")`. The last call counts."""
        given = _named(options) | ({} if cron is None else {"cron": cron})
        return self._with([(("schedule",), given)])

    def trigger(self, **options: Any) -> Pipeline:
        """Run it when a file arrives or another pipeline has published: `trigger(file="in/*.csv")`, `trigger(pipeline="orders")`."""
        return self._with([(("triggers", self._count("triggers")), _named(options))])

    def notify(self, on: str | Iterable[str], **options: Any) -> Pipeline:
        """Tell somebody: `notify(["failed", "recovered"], webhook="${secret:env/ALERT_URL}")`, or `email={...}`, or `command=[...]`."""
        given = {"on": on if isinstance(on, str) else list(on), **_named(options)}
        return self._with([(("notify", self._count("notify")), given)])

    def queue(
        self, *, priority: int | None = None, slots: Mapping[str, int] | None = None, concurrency: int | None = None
    ) -> Pipeline:
        """How its runs stand in line: which begins first, what each takes of shared resources, how many go on at once."""
        given = {"priority": priority, "slots": slots, "concurrency": concurrency}
        return self._with([((key,), _plain(value)) for key, value in given.items() if value is not None])

    def param(self, name: str, default: Any = None, **options: Any) -> Pipeline:
        """Declare a parameter: `param("day", type="date", required=True)`. Parts refer to it as `${params.day}`."""
        given = _named(options) | ({} if default is None else {"default": _plain(default)})
        return self._with([(("params", name), given)])

    def retry(
        self,
        *,
        attempts: int | str | None = None,
        base_delay: str | timedelta | None = None,
        max_delay: str | timedelta | None = None,
        budget: str | timedelta | None = None,
    ) -> Pipeline:
        """Say how often a run is tried again after an error that may pass: `retry(attempts=5, budget="1 hour")`."""
        given = {"attempts": attempts, "base_delay": base_delay, "max_delay": max_delay, "budget": budget}
        return self._with([(("retry",), {key: value for key, value in given.items() if value is not None})])

    def timeout(self, length: str | timedelta) -> Pipeline:
        """Say how long a run may take in all: `timeout("2 hours")`."""
        return self._with([(("timeout",), length)])

    def test(
        self, name: str, *, rows: Mapping[str, Any], expect: Mapping[str, Any], params: Mapping[str, Any] | None = None
    ) -> Pipeline:
        """Add a test: rows that go in instead of the sources', and what must become of them."""
        written = {"name": name, "rows": rows, "expect": expect, **({"params": params} if params else {})}
        return self._with([(("tests", self._count("tests")), _plain(written))])

    def load(self, params: Mapping[str, Any] | None = None) -> Loaded:
        """The definition with values for its parameters. Raises `DefinitionError` with everything that is wrong."""
        from headrace import bootstrap

        return bootstrap.build(self.document, {path: place for path, _, place in self._parts}, Path(self.project), params)

    @property
    def definition(self) -> Definition:
        """The model that YAML builds as well; equal pipelines have equal definitions."""
        return self.load().definition

    @property
    def document(self) -> dict[str, Any]:
        """What a YAML file of this pipeline would hold."""
        head = {"pipeline": self.name, "description": self.description, "engine": self.engine}
        found: dict[str, Any] = {key: value for key, value in head.items() if value is not None}
        for path, written, _ in self._parts:
            match path:
                case (group,):
                    found[str(group)] = written
                case (group, int(), *_):
                    found.setdefault(str(group), []).append(written)
                case (group, key, *_):
                    found.setdefault(str(group), {})[key] = written
        return found

    def plan(self, params: Mapping[str, Any] | None = None) -> Plan:
        """What a run would do."""
        return plan(self, params)

    def run(self, params: Mapping[str, Any] | None = None, **options: Any) -> RunView:
        """Run it to its end. Raises what ended it."""
        return run(self, params, **options)

    def _listed(self, group: str, parts: tuple[Part, ...], beside: Mapping[str, str | None]) -> Pipeline:
        given = {key: value for key, value in beside.items() if value is not None}
        if given and len(parts) != 1:
            raise UsageError(
                f"`{next(iter(given))}` belongs to one of the {group}", hint="give each that has one in a call of its own"
            )
        first = self._count(group)
        return self._with([((group, first + n), {**given, **_written(part, group)}) for n, part in enumerate(parts)])

    def _count(self, group: str) -> int:
        return sum(path[0] == group for path, _, _ in self._parts)

    def _with(self, added: list[tuple[_Place, Any]]) -> Pipeline:
        here = _caller()
        return replace(self, _parts=(*self._parts, *((path, written, here) for path, written in added)))


def run(pipeline: Pipeline | str | Path, params: Mapping[str, Any] | None = None, **options: Any) -> RunView:
    """Run a pipeline, or the definition in a file, to its end. Raises what ended it."""
    from headrace import bootstrap

    return bootstrap.run(_loaded(pipeline, params), params=params, **options)


def plan(pipeline: Pipeline | str | Path, params: Mapping[str, Any] | None = None) -> Plan:
    """What a run of a pipeline, or of the definition in a file, would do."""
    from headrace import bootstrap

    return bootstrap.plan(_loaded(pipeline, params))


def _loaded(pipeline: Pipeline | str | Path, params: Mapping[str, Any] | None) -> Loaded:
    from headrace import bootstrap

    return pipeline.load(params) if isinstance(pipeline, Pipeline) else bootstrap.load(Path(pipeline), params)


def _written(part: Any, group: str) -> dict[str, Any]:
    if not isinstance(part, Part) or part.group != group:
        kind = group.removesuffix("s")
        raise UsageError(f"this takes a {kind}, not {part!r}", hint=f"write {kind}.NAME(...)")
    return {part.kind: part.options}


def _named(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removesuffix("_"): _plain(value) for key, value in options.items()}


def _plain(value: Any) -> Any:
    """A value as YAML would give it, so that both forms of a pipeline are equal."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case date() | time():
            return value.isoformat()
        case Decimal():
            return float(value) if Decimal(repr(float(value))) == value else str(value)
        case PurePath():
            return str(value)
    return value


def _caller() -> Location:
    """The line outside of this module that called into it."""
    frame = sys._getframe(1)  # noqa: SLF001 - the way to know a caller's line without reading its source
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno, 1)
