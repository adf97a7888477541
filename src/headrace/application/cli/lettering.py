"""`headrace dead-letters`: what streams could not read, and why. Not how it comes to be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from headrace.application.cli.console import number, paint, printable, say, say_json, table
from headrace.application.cli.system import System
from headrace.business.model.schema import did_you_mean
from headrace.business.streams.messages import DeadLetter
from headrace.errors import UsageError

#: How much of a message is shown, in bytes.
_SHOWN = 200


def list_letters(system: System, project: Path, *, as_json: bool) -> None:
    found = []
    for stream, source, letters in system.dead_letters(project):
        reasons = Counter(letter.reason for epoch in letters.epochs() for letter in letters.read(epoch))
        if reasons:
            found.append({"stream": stream, "source": source, "letters": reasons.total(), "reasons": dict(reasons)})
    if as_json:
        say_json(found)
        return
    if not found:
        say("there are no dead letters")
        return
    rows = [(str(f["stream"]), str(f["source"]), str(f["letters"]), _reasons(f["reasons"])) for f in found]
    for line in table(("stream", "source", "letters", "reasons"), rows, right=(2,)):
        say(line)


def show_letters(system: System, project: Path, stream: str, limit: int, *, as_json: bool) -> None:
    found = [letter for _, letter in zip(range(limit), _of(system, project, stream), strict=False)]
    if as_json:
        say_json([_as_data(source, epoch, letter) for source, epoch, letter in found])
        return
    for source, epoch, letter in found:
        place = f"{source} {letter.partition}, position {letter.position}, epoch {epoch}"
        say(f"{paint(letter.reason, 'yellow')}  {paint(printable(place), 'dim')}")
        say(f"  {printable(letter.detail)}")
        say(f"  {_content(letter.payload)}")
    if len(found) == limit:
        say(paint(f"the first {limit}; `--limit` shows more", "dim"))


def _of(system: System, project: Path, stream: str) -> Iterator[tuple[str, int, DeadLetter]]:
    kept = system.dead_letters(project)
    if stream not in (names := sorted({name for name, _, _ in kept})):
        raise UsageError(f"the stream `{stream}` has no dead letters", hint=did_you_mean(stream, names))
    for name, source, letters in kept:
        if name == stream:
            yield from ((source, epoch, letter) for epoch in letters.epochs() for letter in letters.read(epoch))


def _content(payload: bytes | None) -> str:
    if payload is None:
        return "(no body)"
    shown = repr(payload[:_SHOWN])[1:]
    return shown if len(payload) <= _SHOWN else f"{shown} and {number(len(payload) - _SHOWN)} bytes more"


def _reasons(reasons: object) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.items()) if isinstance(reasons, dict) else ""


def _as_data(source: str, epoch: int, letter: DeadLetter) -> dict[str, object]:
    return {
        "source": source, "epoch": epoch, "partition": letter.partition, "position": letter.position, "reason": letter.reason,
        "detail": letter.detail, "payload": None if letter.payload is None else letter.payload.decode("utf-8", "backslashreplace"),
        "published_at": letter.published_at,
    }  # fmt: skip
