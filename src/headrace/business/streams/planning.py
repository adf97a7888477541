"""What keeps a pipeline from being run as a stream, and what is worth knowing of one. Pure; not what its engine cannot do (see
`Engine.problems`)."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.business.model.definition import SourceDefinition
from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import Date, Timestamp
from headrace.business.ports import Publisher
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.stateful import Pairs, Stateful
from headrace.business.streams import checking
from headrace.business.streams.flow import Flow
from headrace.business.streams.messages import MessageSource
from headrace.business.streams.state import StreamSink
from headrace.business.validation.compiled import CopyRule, LatenessRule, SequenceRule
from headrace.errors import Path, Problem


def problems(plan: Plan) -> Iterator[Problem]:
    """Everything that is wrong, each at its place in the definition."""
    definition = plan.definition
    for source in plan.sources:
        yield from _about_event_time(source, definition.sources[source.name])
        yield from _about_arrivals(source, definition.sources[source.name])
    if not plan.endless:
        if definition.stream is not None:
            hint = "read from a broker, or take `stream` out"
            yield Problem("all sources of this pipeline come to an end, so it is no stream", ("stream",), hint, on_key=True)
        yield from _only_in_streams(plan)
        yield from checking.problems_in_batch(definition)
        return
    for source in plan.sources:
        if definition.sources[source.name].incremental is not None and not source.scan.bounded:
            hint = "take it out: a stream goes on where it was anyway"
            yield Problem("messages are not read in increments", ("sources", source.name, "incremental"), hint, on_key=True)
    yield from checking.problems(definition)
    if definition.schedule is not None:
        yield Problem("a stream runs for ever, so it has no schedule", ("schedule",), "take it out", on_key=True)
    if definition.triggers:
        yield Problem("a stream runs for ever, so nothing starts it again", ("triggers", 0), "take it out")
    if definition.concurrency > 1:
        yield Problem("a stream is one run", ("concurrency",), "take it out", on_key=True)
    if not definition.sinks:
        yield Problem("a stream needs a sink: nothing it makes is kept otherwise", ("sinks",), "write `sinks:`", on_key=True)
    yield from _about_sinks(plan)
    yield from Flow.of(plan).problems


def _about_event_time(source: PlannedSource, written: SourceDefinition) -> Iterator[Problem]:
    watermark = written.watermark
    if watermark is None:
        return
    path: Path = ("sources", source.name, "watermark", "column")
    if watermark.column not in source.schema:
        hint = did_you_mean(watermark.column, source.schema.names)
        yield Problem(f"there is no column `{watermark.column}`", path, hint)
        return
    column = source.schema[watermark.column]
    if not isinstance(column.type, Timestamp | Date):
        yield Problem(
            f"event time is a timestamp or a date, and `{column.name}` is {column.type}", path, "give it another type"
        )
    elif column.nullable and not source.scan.bounded:
        hint = f"say `{column.name}: {{type: {column.type}, required: true}}` in the contract: rows without a time are held back then"
        yield Problem(f"`{column.name}` may be null, and a row without a time belongs to no window", path, hint)


def _about_arrivals(source: PlannedSource, written: SourceDefinition) -> Iterator[Problem]:
    """Rules of how rows come need rows that come; and most of them a time at which they happened."""
    for rule in source.contract.arrivals:
        path: Path = ("sources", source.name, "contract", "rules", rule.name)
        option = {LatenessRule: "lateness", CopyRule: "unique", SequenceRule: "sequence"}[type(rule)]
        if source.scan.bounded:
            instead = {"unique": "; here, say `unique: true` of a column, or `key:`"}.get(option, "")
            hint = f"take it out, or read `{source.name}` from a broker{instead}"
            message = f"`{option}` is about how the rows of a stream come one after another, and these are all there at once"
            yield Problem(message, (*path, option), hint, on_key=True)
        elif written.watermark is None and not isinstance(rule, SequenceRule):
            hint = f"write `watermark: {{column: ...}}` beside the contract of `{source.name}`"
            yield Problem(
                f"`{option}` is judged by event time, and this source does not say which that is",
                (*path, option),
                hint,
                on_key=True,
            )


def _only_in_streams(plan: Plan) -> Iterator[Problem]:
    for i, sink in enumerate(plan.sinks):
        if not isinstance(sink.publisher, Publisher):
            yield Problem(f"`{sink.kind}` takes the output of streams alone", ("sinks", i, sink.kind), on_key=True)


def _about_sinks(plan: Plan) -> Iterator[Problem]:
    for i, sink in enumerate(plan.definition.sinks):
        mode = getattr(sink.plugin, "mode", None)
        path: Path = ("sinks", i, sink.plugin.kind)
        if mode == "replace":
            hint = "say `mode: append`, or `mode: merge` with the key of a row"
            yield Problem("a stream has no end at which it could replace the whole target", (*path, "mode"), hint)
        elif mode == "scd2":
            hint = "say `mode: append` to keep every row, or `mode: merge` to keep the last of each key"
            yield Problem("a stream does not keep versions", (*path, "mode"), hint)


def notes(plan: Plan) -> Iterator[str]:
    """What a broker may lose or double by itself, what its kind of reading means, which state has no end, and what functions of Python
    can count on."""
    if plan.endless:
        yield from _calls(plan)
    for source in plan.sources:
        plugin = plan.definition.sources[source.name].plugin
        if not isinstance(plugin, MessageSource):
            continue
        yield from (f"{source.name}: {sentence}" for sentence in plugin.durability())
        if not plugin.replayable:
            yield (
                f"{source.name}: the broker sends again what was not acknowledged, so after a death messages may come twice; deduplicate "
                "them by a key of theirs"
            )
    for step in plan.steps if plan.endless else ():
        if (
            isinstance(step.relation, Stateful)
            and isinstance(step.relation.meaning, Pairs)
            and step.relation.meaning.reach is None
        ):
            yield f"{step.name}: keeps the rows of both sides for ever, so its state grows with the stream"


def _calls(plan: Plan) -> Iterator[str]:
    """What can be counted on where functions of Python stand in a stream."""
    for name in Flow.of(plan).called:
        yield (
            f"{name}: the function is called with rows of one partition at a time, as many as came together, and keeps nothing between "
            "calls. After a death it is called again with what did not count yet: its rows count as the sinks say, what it does beside "
            "may happen twice."
        )


def guarantee(publisher: object) -> str:
    """What a reader of a sink can count on when a stream fills it, in one sentence."""
    if isinstance(publisher, StreamSink):
        return publisher.stream_guarantee()
    return "exactly once: each checkpoint is one publication, all or nothing, which the target's ledger knows again"
