"""The reference pages, written from the models, the command line, the events and the engines themselves."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date, timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from headrace.business.connections import Profile
from headrace.business.model import contract, definition, notifications, orchestration, retry, stream
from headrace.business.model.cron import Cron
from headrace.business.model.durations import format_duration
from headrace.business.model.plugin import Plugin
from headrace.business.model.types import DataType
from headrace.security.secrets import Secret

#: The parts of a definition in the order in which people meet them, with the keys under which each stands.
PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The pipeline", definition.Definition),
    ("`retry:`", retry.Retry),
    ("`params:`, each", definition.Parameter),
    ("`sources:`, each", definition.SourceDefinition),
    ("`incremental:`", definition.Incremental),
    ("`watermark:`", stream.Watermark),
    ("`contract:`", contract.Contract),
    ("`columns:` of a contract, each", contract.ColumnContract),
    ("`length:`", contract.Length),
    ("`key:`", contract.Key),
    ("`rules:` of a contract, each", contract.DatasetRule),
    ("`on_drift:`", contract.Drift),
    ("`steps:`, each", definition.StepDefinition),
    ("`checks:`, each", definition.CheckDefinition),
    ("`sinks:`, each", definition.SinkDefinition),
    ("`stream:`", stream.StreamOptions),
    ("`schedule:`", orchestration.Schedule),
    ("`partition:` of a schedule", orchestration.Partition),
    ("`triggers:`, each", orchestration.Trigger),
    ("`notify:`, each", notifications.Notification),
    ("`webhook:`", notifications.Webhook),
    ("`email:`", notifications.Email),
    ("`command:`", notifications.Command),
    ("`tests:`, each", definition.TestDefinition),
    ("`expect:` of a test", definition.Expectation),
)

#: What keys mean whose models leave it to their names.
MEANINGS: Mapping[str, str] = {
    "version": "Of the language of definitions", "pipeline": "Its name", "description": "For people", "engine": "What carries it out",
    "params": "Values that are given when it is run: `${params.day}`", "sources": "The datasets that come in",
    "steps": "What happens to rows, one after the other", "checks": "The audit, before anything is published; of a test: outcomes by name",
    "sinks": "Where results go", "tests": "Rows that go in, and what must become of them: `headrace test`",
    "contract": "What the rows promise: here, or the path of a file, or of an ODCS document", "incremental": "What is read again",
    "watermark": "When its rows happened, and how late they may come: for streams",
    "by": "file: files that no target has; cursor: rows that no run has read, by a column; source: as the source itself remembers",
    "columns": "By name; other columns are kept, see `on_drift`",
    "key": "Columns that together name a row", "rules": "Conditions over a whole row, and references",
    "on_violation": "What becomes of a row that breaks a rule", "on_drift": "What happens when the data look different",
    "type": "What it is", "default": "When none is given", "required": "Whether it must be there", "unique": "No two rows alike",
    "in": "One of these", "not_in": "None of these", "between": "From the first to the second, both included; null for no end",
    "at_least": "This or more", "at_most": "This or less", "above": "More than this", "below": "Less than this", "length": "Of a text",
    "decimal_mark": "What stands before the decimals", "thousands_mark": "What may stand between groups of digits", "min": "At least",
    "max": "At most", "expression": "A condition that must be true", "column": "The columns that must be found there", "name": "Its name",
    "from": "The dataset that it takes, instead of the one before", "on": "The dataset that it looks at, the last one unless said",
    "rows": "Of a test: rows in, by source; of `expect`: rows out, by dataset", "expect": "What must become of them",
    "quarantined": "Rows that must be held back, with `reasons` and cells", "count": "Rows, by dataset", "path": "A file or a folder",
    "schedule": "When it runs by itself", "triggers": "What else starts it", "notify": "Who is told of what happens",
    "priority": "Of runs that wait, the higher one begins first", "concurrency": "How many of its runs may go on at once",
    "slots": "How much a run takes of shared resources: `{warehouse: 1}`",
}  # fmt: skip

_DEFINITION_HEAD = """# Definitions

Every key of a definition. Unknown and repeated keys are refused, each with its place. What stands behind the name of a source, step,
check or sink are the options of that plugin: see [steps](steps.md), [checks](checks.md) and [connectors](#sources-and-sinks) below.
`headrace schema` prints the same as JSON Schema.

A rule of a column may be written bare (`required: true`), or with what happens to rows that break it
(`required: {is: true, on_violation: warn}`). A contract may also be the path of a file that holds one.
"""

_FORMATS_HEAD = """# Formats of messages

How rows are written in messages, for the option `format` of sources and sinks of messages: a name, such as `format: ndjson`, or a name
with options, such as `format: {csv: {header: true}}`.
"""

_CONNECTIONS_HEAD = """# Connections

Tables `[connections.NAME]` of `headrace.toml`, each with a `kind` and the options of that kind ([how](../howto/connections.md)). Sources
and sinks name one: `connection: NAME`.
"""

_EVENTS_HEAD = """# Events

What happened in a run, in the order in which it happened: the log in `.headrace/headrace.db`. Everything that `headrace show`, `runs` and
`quarantine list` tell is made of these events ([how](../explanation/the-event-log.md)). Each is stored under a written name and
version. Rows never travel in them.
"""

_CLI_HEAD = """# The command line

Exit codes: 0 when all went well, 1 when a run or a test failed or a run was interrupted, 2 when the definition or the command is wrong,
130 when it was interrupted where there was no run. Results go to standard output, progress and errors to standard error. `--json`
prints results for machines.
"""


def definition_page(
    sources: Iterable[type[Plugin]],
    sinks: Iterable[type[Plugin]],
    connections: Iterable[type[Plugin]] = (),
    formats: Iterable[type[Plugin]] = (),
) -> str:
    """Every key of a definition, and every option of these sources, sinks, formats and connections, in Markdown."""
    parts = [_DEFINITION_HEAD, *(_part(title, model) for title, model in PARTS), "# Sources and sinks\n"]
    told: set[type[BaseModel]] = {model for _, model in PARTS}
    for word, group in (("source", sources), ("sink", sinks)):
        for plugin in sorted(group, key=lambda p: p.kind):
            parts += _with_inner(f"{word} `{plugin.kind}`", plugin, told)
    parts += [_FORMATS_HEAD]
    for plugin in formats:
        parts += _with_inner(f"format `{plugin.kind}`", plugin, told)
    parts += [_CONNECTIONS_HEAD]
    for plugin in sorted(connections, key=lambda p: p.kind):
        parts += _with_inner(f"connection `{plugin.kind}`", plugin, told)
    return "\n".join(parts)


def events_page(events: Iterable[type[Any]]) -> str:
    """Every event with what it tells, in Markdown, in the order of a run."""
    return "\n".join([_EVENTS_HEAD, *map(_event, events)])


def cli_page(root: Any) -> str:
    """Every command with its arguments and options, in Markdown, from a group of commands."""
    return "\n".join([_CLI_HEAD, *_commands(root, "headrace")])


def _with_inner(title: str, plugin: type[BaseModel], told: set[type[BaseModel]]) -> Iterator[str]:
    """The part of a plugin, and those of options that have options themselves, each told once."""
    yield _part(title, plugin)
    waiting = [(field.alias or name, field.annotation) for name, field in plugin.model_fields.items()]
    while waiting:
        path, annotation = waiting.pop(0)
        for model in _models(annotation):
            if model not in told:
                told.add(model)
                yield _part(f"`{path}:` of {title}", model)
                inner = [(f"{path}.{field.alias or name}", field.annotation) for name, field in model.model_fields.items()]
                waiting = [*inner, *waiting]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Plugin | DataType | contract.Ruled):
            yield annotation
    elif get_origin(annotation) is not Profile:
        for argument in get_args(annotation):
            yield from _models(argument)


def _part(title: str, model: type[BaseModel]) -> str:
    rows = [_row(name, field) for name, field in model.model_fields.items()]
    shorthand = getattr(model, "shorthand", None)
    bare = f"A bare value stands for `{shorthand}`.\n\n" if shorthand else ""
    table = "\n".join(["| key | value | unless said | |", "|---|---|---|---|", *rows])
    return f"## {title}\n\n{inspect.getdoc(model)}\n\n{bare}{table}\n"


def _row(name: str, field: FieldInfo) -> str:
    if name == "plugin":
        return "| *its kind* | the options of the plugin | required | |"
    meaning = (field.description or MEANINGS.get(field.alias or name, "")).replace("|", "\\|")
    return f"| `{field.alias or name}` | {_kind(field.annotation)} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value
    return f"`{shown}`"


_WORDS: Mapping[Any, str] = {
    str: "text", bool: "true or false", int: "whole number", float: "number", type(None): "", Any: "anything", Path: "path",
    timedelta: "a duration, such as `2 hours`", Cron: "a cron expression", date: "a date", Secret: "text, or a secret",
}  # fmt: skip


def _kind(annotation: Any) -> str:
    """A type in the words of people who write YAML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Profile:
        return "the name of a connection"
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin in (Union, types.UnionType):
        if annotation == contract.Scalar or set(get_args(contract.Scalar)) <= set(arguments):
            return "a value of the column"
        return " or ".join(dict.fromkeys(word for word in map(_kind, arguments) if word))
    if isinstance(origin, type) and issubclass(origin, tuple | list):
        return f"list of: {_kind(arguments[0])}" if arguments[1:] in ((), (...,)) else "pair of: " + _kind(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"by name: {_kind(arguments[1])}"
    return _WORDS[annotation] if annotation in _WORDS else _named(annotation)


def _named(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, DataType):
        return "a type"
    if isinstance(annotation, type) and issubclass(annotation, contract.Ruled):
        return _kind(annotation.model_fields["is_"].annotation)
    titles = {model: title for title, model in PARTS}
    if annotation in titles:
        return "see " + titles[annotation].removesuffix(", each")
    if annotation is Plugin:
        return "a format of messages, below"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "options of its own, below"
    return str(getattr(annotation, "__name__", annotation)).lower()


def _event(event: type[Any]) -> str:
    names = ", ".join(f"`{field.name}`" for field in fields(event) if field.name != "pipeline_id")
    return f"## {event.written}\n\n`{event.__name__}`. {inspect.getdoc(event)}\n\n{names}\n"


def _commands(command: Any, path: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is not None:
        for name, each in below.items():
            yield from _commands(each, f"{path} {name}")
        return
    yield f"## {path}\n\n{command.help}\n\n| | |\n|---|---|"
    for parameter in command.params:
        if parameter.name != "help":
            yield f"| {_spelt(parameter)} | {getattr(parameter, 'help', '') or ''} |"
    yield ""


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    words = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{word}`" for word in words)


def pages() -> Mapping[str, str]:
    """All pages, by file name."""
    import typer

    from headrace.application.cli.app import app
    from headrace.bus import events, lifecycle, streams
    from headrace.infrastructure.formats.message_formats import FORMATS, format_class
    from headrace.infrastructure.loading import engine_matrix

    ours = distribution("headrace").entry_points
    plugins = {
        group: [e.load() for e in ours if e.group == f"headrace.{group}"] for group in ("sources", "sinks", "connections")
    }
    inside = [e for e in vars(events).values() if isinstance(e, type) and issubclass(e, events.Event) and e is not events.Event]
    told = [*lifecycle.LIFECYCLE, *inside, *streams.STREAMS]
    return {
        "definition.md": definition_page(
            plugins["sources"], plugins["sinks"], plugins["connections"], map(format_class, FORMATS)
        ),
        "cli.md": cli_page(typer.main.get_command(app)),
        "events.md": events_page(told),
        "engines.md": engine_matrix.reference(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (Path("docs") / "reference" / name).write_text(text, encoding="utf-8")
