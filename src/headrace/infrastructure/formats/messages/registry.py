"""What is asked of a schema registry (Confluent's API): each schema once. Not how it is reached, nor what its schemas mean."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.formats.messages.registry_connection import RegistryConnection
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: Every message begins with this byte, then the number of its schema in four bytes, the highest first.
MAGIC = b"\0"
PREFIX = 5
#: A number that the registry does not know is asked for again after so many seconds: its writer may have been faster than it.
_ASKED_AGAIN = 10.0


@record
class Registered:
    """A schema as the registry has it, and the texts of those that it refers to, the deepest first."""

    id: int
    type: str
    text: str
    references: tuple[str, ...] = ()


class MissingReference(NonRetryableError):
    """A schema cannot be understood, because another is missing."""


def prefixed(number: int) -> bytes:
    return MAGIC + struct.pack(">I", number)


def behind(begin: bytes, bodies: pa.Array) -> pa.Array:
    """Bodies with these bytes before each."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(begin, bodies, b"")


def text_of(project: Path, name: str) -> str:
    """The text of a file with a schema. Raises `NonRetryableError` when it cannot be read."""
    try:
        return (project / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NonRetryableError(
            f"the schema `{name}` cannot be read: {error}", hint="paths are meant from the project's folder"
        ) from error


class Registry:
    """A registry, asked once for each number."""

    def __init__(self, profile: Profile[RegistryConnection]) -> None:
        self._profile = profile
        self._known: dict[int, Registered] = {}
        self._unknown: dict[int, float] = {}

    def schema(self, number: int) -> Registered | None:
        """The schema of a number; None when there is none. Raises `MissingReference`, and `RetryableError` when the registry is away."""
        if number in self._known:
            return self._known[number]
        if time.monotonic() - self._unknown.get(number, -_ASKED_AGAIN) < _ASKED_AGAIN:
            return None
        found = self._ask("GET", f"/schemas/ids/{number}")
        if found is None:
            self._unknown[number] = time.monotonic()
            return None
        references = tuple(self._references(found, set()))
        self._known[number] = Registered(number, found.get("schemaType", "AVRO"), found["schema"], references)
        return self._known[number]

    def register(self, subject: str, text: str, kind: str) -> int:
        """The number of a schema under a subject, where it is registered unless it is there already. Raises `NonRetryableError` when the
        registry refuses it."""
        body = {"schema": text} | ({} if kind == "AVRO" else {"schemaType": kind})
        found = self._ask("POST", f"/subjects/{quote(subject, safe='')}/versions", body)
        if found is None:
            raise NonRetryableError(f"the schema registry has no place for subject `{subject}`")
        return int(found["id"])

    def _references(self, schema: dict[str, Any], seen: set[tuple[str, int]]) -> list[str]:
        texts: list[str] = []
        for reference in schema.get("references", ()):
            key = (reference["subject"], reference["version"])
            if key in seen:
                continue
            seen.add(key)
            found = self._ask("GET", f"/subjects/{quote(key[0], safe='')}/versions/{key[1]}")
            if found is None:
                raise MissingReference(f"a schema refers to version {key[1]} of `{key[0]}`, which the registry does not have")
            texts += [*self._references(found, seen), found["schema"]]
        return texts

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What is answered, or None when there is no such thing."""
        connection = self._profile.connection
        reply = connection.ask(self._profile.home, method, path, None if body is None else json.dumps(body).encode())
        if reply.status == 404:
            return None
        try:
            said = json.loads(reply.body)
        except ValueError as error:
            raise RetryableError(f"the schema registry {connection.shown()} does not answer in JSON") from error
        if reply.status != 200:
            why = said.get("message") if isinstance(said, dict) else None
            raise NonRetryableError(f"the schema registry refuses ({reply.status}): {why or 'it says no more'}")
        return said
