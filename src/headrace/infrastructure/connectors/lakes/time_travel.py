"""The time that a version of a lake table is asked for by. Not how a table finds it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


#: A point in time; without a zone it is meant in UTC.
Instant = Annotated[datetime, AfterValidator(_in_utc)]
