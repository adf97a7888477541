"""Portions: what was made of some messages of one partition, by whichever worker read them. Not how it is taken in."""

from __future__ import annotations

from headrace.application.streams.intake import Taken
from headrace.business.ports import Position
from headrace.business.streams.engine import StreamSession, Worked
from headrace.business.streams.messages import DeadLetter
from headrace.records import record


@record
class Portion:
    """To be taken in by whoever keeps the state of the stream, those of one partition in their order."""

    source: str
    partition: str
    last: Position | None
    """A feed goes on behind it. None for what had been read before, and is read again out of its turn."""
    messages: int
    bytes: int
    dead: tuple[DeadLetter, ...] = ()
    worked: Worked | None = None
    """None where no row was in the messages."""


def portion(session: StreamSession, taken: Taken) -> Portion:
    """Work on what was taken out of a feed. It changes nothing, so whatever becomes of the portion, the messages can be read again."""
    arrived = taken.arrived
    worked = session.work(arrived) if arrived.rows.num_rows else None
    return Portion(arrived.source, arrived.partition, taken.last, taken.messages, taken.bytes, taken.dead, worked)
