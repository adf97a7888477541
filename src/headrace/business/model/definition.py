"""A pipeline's definition: the one model that YAML and Python both build. Not how it is read (see `infrastructure.loader`)
and not what it comes to (see `processing.plan`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializeAsAny

from headrace import errors
from headrace.business.model.contract import Contract
from headrace.business.model.durations import Duration
from headrace.business.model.notifications import Notification
from headrace.business.model.orchestration import Schedule, Trigger, schedule_options
from headrace.business.model.part import Model
from headrace.business.model.plugin import Plugin
from headrace.business.model.retry import Retry
from headrace.business.model.shorthand import Shorthand
from headrace.business.model.stream import StreamOptions, Watermark, stream_options, watermark_options
from headrace.business.model.wording import Misworded

EngineName = Literal["duckdb", "postgres", "snowflake", "spark"]


class Incremental(Model):
    """What a run reads of a source that was read before: only new files, or only rows that no run has read, by a cursor."""

    by: Literal["file", "cursor", "source"] = "file"
    cursor: str | None = Field(None, description="The column whose values grow: a time of change, a number that counts up")
    lag: Annotated[int, Field(ge=0, strict=True)] | Duration | None = Field(
        None,
        description="How far below the highest value rows may still come, because they were committed late: a duration for dates and "
        "times, else a number. Rows of earlier runs are remembered that far, and none counts twice",
    )
    newest: Literal["take", "wait"] = Field(
        "take",
        description="take: rows near the highest value come at once, and are remembered; wait: they come when there are higher ones, "
        "for cursors so coarse that too many rows share a value",
    )


class SourceDefinition(Model):
    """A dataset that comes in: where from, and what it promises."""

    plugin: SerializeAsAny[Plugin]
    contract: Contract | None = None
    incremental: Incremental | None = None
    watermark: Annotated[Watermark, Shorthand(watermark_options, of="column")] | None = None


class StepDefinition(Model):
    """One step. Its input is the one before it unless `from` names another; its result is called `name`."""

    name: str
    from_: str | None = Field(None, alias="from")
    plugin: SerializeAsAny[Plugin]


class CheckDefinition(Model):
    """One check of the audit, on the dataset `on` (the last step's, unless said)."""

    name: str
    on: str | None = None
    plugin: SerializeAsAny[Plugin]


class SinkDefinition(Model):
    """Where a dataset goes: `from` names it (the last step's, unless said)."""

    name: str
    from_: str | None = Field(None, alias="from")
    plugin: SerializeAsAny[Plugin]


class Parameter(Model):
    """A value that is given when the pipeline is run: `--param day=2013-01-01`."""

    type: Literal["string", "int", "float", "boolean", "date", "timestamp"] = "string"
    default: Any = None
    required: bool = False
    description: str | None = None


def parameter_options(written: Any) -> Any:
    """A parameter as options: a bare value is its default, and a default without a type has its own."""
    if isinstance(written, Parameter):
        return written
    options = dict(written) if isinstance(written, Mapping) else {"default": written}
    default = options.get("default")
    if "type" not in options and isinstance(default, bool | int | float):
        options["type"] = {bool: "boolean", int: "int", float: "float"}[type(default)]
    return options


class Expectation(Model):
    """What a test expects. Only what is named is compared."""

    quarantined: tuple[Mapping[str, Any], ...] | None = None
    rows: Mapping[str, tuple[Mapping[str, Any], ...]] | None = None
    count: Mapping[str, int] | None = None
    checks: Mapping[str, str] | None = None


class TestDefinition(Model):
    """Rows that go in instead of the sources', and what must become of them. A column that a test row leaves out is out of
    the test: rules on that column alone do not apply."""

    __test__ = False

    name: str
    rows: Mapping[str, tuple[Mapping[str, Any], ...]]
    params: Mapping[str, Any] = Field(default_factory=dict)
    expect: Expectation


def _lasting(length: timedelta) -> timedelta:
    if not length:
        raise Misworded("a run needs some time", "leave `timeout` out for no limit")
    return length


class Definition(Model):
    """A pipeline."""

    version: Literal[1] = 1
    pipeline: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
    description: str | None = None
    engine: EngineName = "duckdb"
    retry: Retry = Field(
        Retry(),
        description="What happens after an error that may pass; unless said, as its own defaults are, and a stream tries again for ever",
    )
    timeout: Annotated[Duration, AfterValidator(_lasting)] | None = Field(
        None, description="How long a run may take in all, waits between attempts included"
    )
    params: Mapping[str, Annotated[Parameter, Shorthand(parameter_options, of="default")]] = Field(default_factory=dict)
    sources: Mapping[str, SourceDefinition]
    steps: tuple[StepDefinition, ...] = ()
    checks: tuple[CheckDefinition, ...] = ()
    sinks: tuple[SinkDefinition, ...] = ()
    stream: Annotated[StreamOptions, Shorthand(stream_options, of="checkpoint")] | None = Field(
        None, description="For a pipeline that does not end: its checkpoints and its state"
    )
    schedule: Annotated[Schedule, Shorthand(schedule_options, of="cron")] | None = None
    triggers: tuple[Trigger, ...] = ()
    notify: tuple[Notification, ...] = ()
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    slots: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")], Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict
    )
    concurrency: int = Field(1, ge=1)
    tests: tuple[TestDefinition, ...] = ()

    @property
    def last(self) -> str | None:
        """The dataset that checks and sinks mean when they name none: the last step's, or that of the only source."""
        if self.steps:
            return self.steps[-1].name
        return next(iter(self.sources)) if len(self.sources) == 1 else None

    def place_of_source(self, name: str) -> errors.Path:
        return ("sources", name, self.sources[name].plugin.kind)

    def place_of_sink(self, name: str) -> errors.Path:
        return next(("sinks", i, sink.plugin.kind) for i, sink in enumerate(self.sinks) if sink.name == name)


class Loaded(Model):
    """A definition with what surrounds it: its file, the project folder, and the place of each of its parts."""

    definition: Definition
    file: Path | None = None
    project: Path = Path()
    params: Mapping[str, Any] = Field(default_factory=dict)
    """The values of the parameters, with their types."""
    document: Any = Field(None, repr=False)
    """What was written, as plain data: references stand in it as references."""
    places: Any = None
    """`(path, on_key, offset) -> Location | None`, see `infrastructure.loader`."""
