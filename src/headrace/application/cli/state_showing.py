"""`headrace state show`: what a stream keeps between two checkpoints, for people. It changes nothing, and opens no broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import number, paint, printable, say, say_json, size, table
from headrace.application.cli.system import System
from headrace.application.streams.epochs import is_output
from headrace.business.streams.state import Saved

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show_state(system: System, file: Path, param: Sequence[str] | None, limit: int, *, as_json: bool) -> None:
    loaded = system.load(definition_file(file), parameters(param))
    name, store = loaded.definition.pipeline, system.stream_state(loaded)
    try:
        epochs = list(store.epochs())
        saved = list(store.load(epochs[-1])) if epochs else []
        weight = store.bytes()
    finally:
        store.close()
    if as_json:
        say_json({"stream": name, "epochs": epochs, "bytes": weight, "facts": dict(saved[-1].facts) if saved else {}})
        return
    if not saved:
        say(f"{name} has no state yet; `headrace run {file}` begins")
        return
    say(f"{paint(name, 'bold')}  epochs {epochs[0]} to {epochs[-1]}, {size(weight)} in all")
    for line in (*_positions(saved[-1].facts["sources"]), *_rows(saved, limit)):
        say(line)


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


def _rows(saved: Sequence[Saved], limit: int) -> Iterator[str]:
    """Of each part of the state the deltas that make it, newest first: what a window has is the sum of its rows."""
    import pyarrow as pa

    for part in sorted({name for epoch in saved for name in epoch.parts if not is_output(name)}):
        tables = [pa.ipc.open_stream(epoch.parts[part]).read_all() for epoch in saved if part in epoch.parts]
        count = sum(one.num_rows for one in tables)
        yield ""
        yield f"{paint(printable(part), 'bold')}: {number(count)} rows of deltas, {size(sum(one.nbytes for one in tables))}"
        shown = [row for one in reversed(tables) for row in one.slice(0, limit).to_pylist()][:limit]
        for row in shown:
            yield "  " + ", ".join(f"{printable(str(key))} = {printable(repr(value))}" for key, value in row.items())


def _time(micros: int | None) -> str:
    if micros is None:
        return "-"
    try:
        return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except OverflowError:
        return "the end"
