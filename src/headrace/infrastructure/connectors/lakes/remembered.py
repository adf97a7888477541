"""What a lake table remembers of its publications: the ledger, and who may publish. One document, which counts with a version of the
table. Not where that is kept: a file that a transaction names for Delta, a property of the table for Iceberg."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from headrace.business.ports import Checkpoint, Fence
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import ledger
from headrace.infrastructure.connectors.fence_file import Tokens, admitted, as_json, tokens
from headrace.infrastructure.connectors.ledger import Ledger, Mode
from headrace.records import record

VERSION = 1


@record
class Remembered:
    """A ledger and tokens; both empty for a table that nobody published to by Headrace."""

    ledger: Ledger = ()
    tokens: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def highest(self, pipeline: str, issuer: str) -> int | None:
        return self.tokens.get((pipeline, issuer))

    def with_tokens(self, known: Tokens) -> Remembered:
        """The same with the higher of two tokens of each issuer."""
        higher = {key: token for key, token in known.items() if token > self.tokens.get(key, -1)}
        return Remembered(self.ledger, {**self.tokens, **higher})

    def admitting(self, pipeline: str, fence: Fence | None) -> Remembered:
        return self if fence is None else Remembered(self.ledger, admitted(dict(self.tokens), pipeline, fence))

    def extended(self, checkpoint: Checkpoint, mode: Mode) -> Remembered:
        return Remembered(ledger.extended(self.ledger, checkpoint, mode), self.tokens)

    def encoded(self) -> bytes:
        document = {
            "headrace": VERSION,
            "ledger": [ledger.to_json(entry) for entry in self.ledger],
            "fences": as_json(dict(self.tokens)),
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def decoded(data: bytes, shown: str) -> Remembered:
    """Raises `NonRetryableError` when it is not what this version writes: then nobody can tell what was published, or who may publish."""
    try:
        document: Any = json.loads(data)
        version = document["headrace"]
        if version == VERSION:
            return Remembered(tuple(map(ledger.from_json, document["ledger"])), tokens(document["fences"]))
    except (ValueError, KeyError, TypeError):
        version = None
    raise NonRetryableError(
        f"{shown}: what it remembers of its publications is not what this version of Headrace writes (version {version})",
        hint="publish with the version of Headrace that wrote it, or to another table",
    )
