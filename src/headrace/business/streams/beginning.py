"""Where a stream is to begin anew: `earliest`, `latest`, a time, or an epoch that is kept. Not where sources begin by themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from headrace.business.streams.messages import Start
from headrace.errors import UsageError
from headrace.records import record


@record
class Anew:
    """Begin anew: with an empty state at `start`, or with state and positions of `epoch`."""

    written: str
    start: Start = "earliest"
    epoch: int | None = None
    letters: bool = False
    """Go on where it was, but take its dead letters in first."""


#: How it is written that dead letters are to be taken in.
DEAD_LETTERS = "dead letters"


def parse_start(written: str) -> Anew:
    """Read where to begin. A time without a zone is in UTC. Raises `UsageError`."""
    if written in ("earliest", "latest"):
        return Anew(written, "latest" if written == "latest" else "earliest")
    if written == DEAD_LETTERS:
        return Anew(written, letters=True)
    if found := re.fullmatch(r"epoch ([0-9]+)", written):
        return Anew(written, epoch=int(found[1]))
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        hint = "write `earliest`, `latest`, a time such as `2024-05-01T12:00:00Z`, or `epoch 12`"
        raise UsageError(f"`{written}` is no place where a stream could begin", hint=hint) from None
    return Anew(written, at if at.tzinfo else at.replace(tzinfo=UTC))
