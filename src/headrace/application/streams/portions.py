"""Portions: what was made of some messages of one partition, by whichever worker read them. Not how it is taken in."""

from __future__ import annotations

from headrace.application.streams.intake import Taken
from headrace.business.ports import Position
from headrace.business.streams.engine import Arrived, StreamSession, Worked
from headrace.business.streams.messages import DeadLetter
from headrace.business.streams.watermarks import Woken
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
    woken: Woken | None = None
    """Where the others had come to without the partition, if they had."""
    arrived: Arrived | None = None
    """Its rows, where they are not worked on yet."""
    worked: Worked | None = None
    """What was made of them. Neither where no row was in the messages."""

    @property
    def rows(self) -> int:
        """How many there are."""
        if self.arrived is not None:
            return int(self.arrived.rows.num_rows)
        return self.worked.judged.read if self.worked is not None else 0


def portion(session: StreamSession | None, taken: Taken) -> Portion:
    """Work on what was taken out of a feed, if there is a session for it. It changes nothing, so whatever becomes of the portion, the
    messages can be read again."""
    arrived = taken.arrived if taken.arrived.rows.num_rows else None
    worked = session.work(arrived) if session is not None and arrived is not None else None
    came = taken.arrived
    left = arrived if worked is None else None
    return Portion(came.source, came.partition, taken.last, taken.messages, taken.bytes, taken.dead, taken.woken, left, worked)
