"""`headrace state`: what streams keep between two checkpoints, for people. It opens no broker and no sink."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.application.cli.console import number, paint, printable, say, say_json, size, table
from headrace.application.cli.system import System
from headrace.application.queries.stream_states import KeptEpoch, kept_epoch, kept_streams
from headrace.application.streams.epochs import is_output
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def list_states(system: System, project: Path, shared: str | None, *, as_json: bool) -> None:
    stores = system.stream_states(project, shared)
    found = kept_streams(stores)
    for store in stores.values():
        store.close()
    if as_json:
        say_json([asdict(stream) for stream in found])
        return
    if not found:
        say("no stream keeps state here")
        return
    rows = [(s.stream, number(len(s.epochs)), number(max(s.epochs, default=0)), size(s.bytes)) for s in found]
    for line in table(("stream", "checkpoints", "last epoch", "size"), rows, right=(1, 2, 3)):
        say(line)


def show_state(
    system: System, project: Path, stream: str, shared: str | None, epoch: int | None, limit: int, *, as_json: bool
) -> None:
    stores = system.stream_states(project, shared)
    if stream not in stores:
        raise UsageError(f"no state of the stream `{stream}` is kept", hint=did_you_mean(stream, sorted(stores)))
    found = kept_epoch(stream, stores[stream], epoch)
    for store in stores.values():
        store.close()
    if as_json:
        parts = {name: {"rows": part.rows, "bytes": part.bytes} for name, part in found.parts.items()}
        say_json({"stream": stream, "epoch": found.epoch, "base": found.base, "facts": dict(found.facts), "parts": parts})
        return
    say(
        f"{paint(printable(stream), 'bold')}  epoch {number(found.epoch)}, made of what was saved since epoch {number(found.base)}"
    )
    for line in (*_positions(found.facts["sources"]), *_rows(found, limit)):
        say(line)


def remove_state(system: System, project: Path, stream: str, shared: str | None) -> None:
    system.remove_stream(project, stream, shared)
    say(f"the state of {printable(stream)} is gone; `headrace streams replay --from earliest` begins anew")


def _positions(sources: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for name, source in sources.items():
        marks = source.get("watermarks") or {}
        highest, horizon = marks.get("highest", {}), marks.get("horizon")
        rows += [
            (f"  {printable(name)}", printable(partition), printable(position), _time(highest.get(partition)), _time(horizon))
            for partition, position in source["positions"].items()
        ]
    yield ""
    yield from table(("  source", "partition", "read up to", "latest event", "windows closed up to"), rows)


def _rows(found: KeptEpoch, limit: int) -> Iterator[str]:
    """Of each part the rows that make it: what a window has is the sum of its rows."""
    for name, part in found.parts.items():
        if is_output(name):
            continue
        yield ""
        yield f"{paint(printable(name), 'bold')}: {number(part.rows)} rows, {size(part.bytes)}"
        for row in part.table.slice(0, limit).to_pylist() if part.table is not None else ():
            yield "  " + ", ".join(f"{printable(str(key))} = {printable(repr(value))}" for key, value in row.items())


def _time(micros: int | None) -> str:
    if micros is None:
        return "-"
    try:
        return (_BEGIN + timedelta(microseconds=micros)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except OverflowError:
        return "the end"
