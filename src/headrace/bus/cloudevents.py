"""Events as CloudEvents 1.0 in the JSON format, structured mode: written for others, and read from them strictly. Not how they travel.

The standard: "CloudEvents - Version 1.0.2" and "JSON Event Format for CloudEvents - Version 1.0.2" (CNCF, 2022).
`correlationid` and `causationid` are its documented extension "Correlation". Positions are texts: its Integer ends at 2,147,483,647.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, NoReturn

from headrace.bus.store import Envelope, Origin
from headrace.errors import NonRetryableError
from headrace.records import record

MEDIA_TYPE = "application/cloudevents+json; charset=UTF-8"
_PREFIX = "headrace."
_REQUIRED = ("id", "source", "specversion", "type")
_TEXTS = (*_REQUIRED, "subject", "datacontenttype", "dataschema", "time")
_NAME = re.compile(r"[a-z0-9]+")
_MEDIA = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+(\s*;\s*[\w.+!#$&^-]+=(\"[^\"]*\"|[\w.+!#$&^-]+))*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")
#: Control characters, halves of surrogate pairs and what Unicode says is no character.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_LARGEST = 2_147_483_647


@record
class CloudEvent:
    """An event of anybody's. `data` is what it holds: plain JSON data, or bytes."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, str | int | bool] = field(default_factory=dict)
    data: Any = None

    def envelope(self) -> Envelope:
        """The stored event that one of ours was made of. Raises `NonRetryableError` for one of somebody else's."""
        own = self.extensions
        numbers = [str(own.get(name, "")) for name in ("position", "number")]
        if not (self.type.startswith(_PREFIX) and self.subject and self.time and all(n.isdecimal() for n in numbers)):
            raise NonRetryableError(
                f"the CloudEvent `{self.id}` of `{self.source}` is none of Headrace's",
                hint="one of ours has a `type` that begins with `headrace.`, and `subject`, `time`, `position` and `number`",
            )
        origin = Origin(*(str(own.get(name, "")) for name in ("actor", "correlationid", "causationid")))
        position, number = map(int, numbers)
        kind, data = self.type.removeprefix(_PREFIX), self.data or {}
        return Envelope(position, self.subject, number, kind, self.time, data, str(own.get("hash", "")), origin)


def to_cloudevent(event: Envelope, source: str) -> dict[str, Any]:
    """A stored event as an object of the JSON format. `source` names the log; with the id it is unique in the world."""
    found: dict[str, Any] = {
        "specversion": "1.0", "id": event.id, "source": source, "type": _PREFIX + event.type, "subject": event.stream,
        "time": event.at.isoformat(), "datacontenttype": "application/json", "position": str(event.position), "number": str(event.number),
        "hash": event.hash,
    }  # fmt: skip
    origin = event.origin
    said = {"actor": origin.actor, "correlationid": origin.correlation_id, "causationid": origin.causation_id}
    return found | {name: text for name, text in said.items() if text} | {"data": dict(event.data)}


def read_cloudevent(text: str | bytes) -> CloudEvent:
    """One event of the JSON format. Raises `NonRetryableError` with everything that is wrong with it."""
    written = _json(text)
    if not isinstance(written, dict):
        _refuse([f"it is {'a batch' if isinstance(written, list) else 'no object'}, and one event is wanted"])
    given = {name: value for name, value in written.items() if value is not None or name == "data"}
    payload = {name: given.pop(name) for name in ("data", "data_base64") if name in given}
    problems = [*_names(given), *_values(given)]
    data = _data(payload, problems)
    if problems:
        _refuse(problems)
    own = {name: given[name] for name in _TEXTS if name in given and name not in ("specversion", "time")}
    extensions = {name: value for name, value in given.items() if name not in _TEXTS}
    return CloudEvent(**own, time=_time(given["time"]) if "time" in given else None, extensions=extensions, data=data)


def _json(text: str | bytes) -> Any:
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(plain, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        _refuse([f"it is not JSON: {error}"])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _names(given: Mapping[str, Any]) -> list[str]:
    missing = [f"the attribute `{name}` is missing" for name in _REQUIRED if name not in given]
    return missing + [
        f"`{name[:40]}` is no name of an attribute: lower-case letters and digits only"
        for name in given
        if not _NAME.fullmatch(name)
    ]


def _values(given: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, value in given.items():
        if name in _TEXTS and not (isinstance(value, str) and value):
            problems.append(f"`{name}` must be a text that is not empty")
        elif not isinstance(value, str | int):
            problems.append(f"`{name}` must be a text, a whole number or a boolean, not {_sort(value)}")
        elif isinstance(value, int) and abs(value) > _LARGEST:
            problems.append(f"`{name}` is larger than a whole number may be")
        elif isinstance(value, str) and _NO_TEXT.search(value):
            problems.append(f"`{name}` holds characters that a text may not hold")
        elif isinstance(value, str) and (wrong := _form(name, value)):
            problems.append(wrong)
    return problems


def _form(name: str, value: str) -> str | None:
    match name:
        case "specversion" if value != "1.0":
            return f"the version of the standard is `{value[:20]}`, and 1.0 is known"
        case "source" if not _URI.fullmatch(value):
            return "`source` is no reference in the form of a URI"
        case "dataschema" if not (_URI.fullmatch(value) and _ABSOLUTE.fullmatch(value)):
            return "`dataschema` is no absolute URI"
        case "datacontenttype" if not _MEDIA.fullmatch(value):
            return "`datacontenttype` is no media type"
        case "time" if _time(value) is None:
            return "`time` is no time with a zone, such as 2026-01-31T12:00:00Z"
    return None


def _time(value: str) -> datetime | None:
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper()))
    except ValueError:
        return None


def _data(payload: Mapping[str, Any], problems: list[str]) -> Any:
    if len(payload) == 2:
        problems.append("`data` and `data_base64` exclude each other")
    if "data_base64" not in payload:
        return payload.get("data")
    try:
        return base64.b64decode(payload["data_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        problems.append("`data_base64` is not in base64")
        return None


def _sort(value: Any) -> str:
    return {dict: "an object", list: "a list", float: "a fraction"}.get(type(value), "something else")


def _refuse(problems: list[str]) -> NoReturn:
    raise NonRetryableError(
        "this is no CloudEvent: " + "; ".join(problems), hint="see CloudEvents 1.0.2 and its JSON event format, structured mode"
    )
