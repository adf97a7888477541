"""Asks an API only for what is new: puts the position of the run before into a parameter. Not which rows are new in the end, which
the engine decides by the rows themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from headrace.business.model.part import Model
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.rest.asking import Asking
from headrace.infrastructure.connectors.rest.pages import WHERE, Place


class Since(Model):
    """The parameter that has the server leave out what is old. It has to give rows with just this value as well; if it gives too much,
    what was read before is left out here."""

    param: str = Field(description="The parameter", examples=["updated_since"])
    format: str = Field(
        "as_is",
        description="How the value is written: `as_is`, such as `1024` or `2013-01-31 12:00:00`; `iso`, in UTC; `date`; `epoch`, in "
        "seconds; `epoch_ms`; or a pattern of strftime such as `%Y%m%d`",
    )
    initial: Any = Field(
        None, description="What is given as long as nothing was read; without it, the parameter is left out then"
    )
    in_: Place = Field("query", alias="in", description=WHERE)


def asking_since(asking: Asking, since: Since | None, floor: str | None) -> Asking:
    """The asking with the parameter, if there is one to give. Below `floor` everything was read."""
    if since is None:
        return asking
    value = since.initial if floor is None else _written(since.format, floor)
    return asking if value is None else asking.with_param(since.param, value, since.in_)


def _written(form: str, floor: str) -> Any:
    if form == "as_is":
        return floor
    at = _time(floor)
    match form:
        case "iso":
            return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case "date":
            return at.date().isoformat()
        case "epoch":
            return int(at.timestamp())
        case "epoch_ms":
            return int(at.timestamp() * 1000)
    return at.strftime(form)


def _time(floor: str) -> datetime:
    """The time that a cursor is; without a zone it is meant in UTC."""
    try:
        at = datetime.fromisoformat(floor)
    except ValueError:
        raise NonRetryableError(
            f"the cursor stands at `{floor}`, which is no time", hint="write `format: as_is` for a cursor that is none"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
