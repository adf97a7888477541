"""Takes a stream up where the last epoch that counts has ended, or where somebody wants it to begin anew. Not the epochs themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.application.streams.epochs import Epochs
from headrace.application.streams.intake import Intake
from headrace.business.streams.beginning import Anew
from headrace.business.streams.engine import Changes, StreamSession
from headrace.business.streams.state import Saved


def take_up(
    epochs: Epochs, session: StreamSession, intakes: Sequence[Intake], anew: Anew | None, run_id: str
) -> Mapping[str, Any]:
    """Bring session and intakes to where they go on; the facts of that epoch, none for a stream that has just begun.

    Beginning anew is an epoch of its own, without output: it forgets what was, or is as an older one was. A run does that once,
    however often it is taken up again.
    """
    saved = epochs.recover(lenient=anew is not None and anew.epoch is None and not anew.letters)
    for intake in intakes:
        intake.wakes.restore(saved or epochs.newest())
    if anew is not None and not anew.letters and not (saved and saved[-1].facts.get("begun_anew") == run_id):
        return _begin_anew(epochs, session, intakes, anew, run_id)
    return _restored(session, intakes, saved)


def _begin_anew(
    epochs: Epochs, session: StreamSession, intakes: Sequence[Intake], anew: Anew, run_id: str
) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = {"sources": {}, "start": anew.written}
    if anew.epoch is not None:
        facts = _restored(session, intakes, epochs.kept(anew.epoch))
    facts = {**facts, "begun_anew": run_id}
    nothing = {name: table.slice(0, 0) for name, table in session.drain().items()}
    epochs.checkpoint(facts, changes(session, intakes, whole=True), nothing, lambda: None)
    return facts


def _restored(session: StreamSession, intakes: Sequence[Intake], saved: Sequence[Saved]) -> Mapping[str, Any]:
    if not saved:
        return {}
    session.restore(saved)
    facts = saved[-1].facts
    for intake in intakes:
        if intake.name in facts["sources"]:
            intake.restore(facts["sources"][intake.name])
    return facts


def changes(session: StreamSession, intakes: Sequence[Intake], *, whole: bool = False) -> Changes:
    """What an epoch saves beside its facts: what became of the state, and where partitions woke."""
    found = [session.changes(whole=whole), *(intake.wakes.changes(whole=whole) for intake in intakes)]
    parts = {name: part for some in found for name, part in some.parts.items()}
    return Changes(parts, max(some.reach for some in found))
