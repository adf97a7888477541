"""How far a source was read by cursor: the text that ledgers keep as its position. Pure; engines find out what goes into it.

A cursor tells rows apart only roughly: several share the highest value, some come with a value that is not above it any more, some
have none. So a position says below which value everything was read, and which rows of those not below it are known. It grows with the
rows near the highest value (within `lag` of it, or exactly there without one), never with the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from headrace.business.model.types import DataType
from headrace.errors import NonRetryableError
from headrace.records import record

#: What becomes of the rows near the highest value: read at once and remembered, or left until higher ones have come.
Newest = Literal["take", "wait"]

#: So many rows near the highest value are remembered at most.
MOST_KNOWN = 100_000


@record
class ReadUpTo:
    """What earlier runs have read: every row whose cursor is below `floor`, and of the others those that are `known`."""

    floor: str | None = None
    """The value as text; None before anything with a value was read."""
    known: Mapping[str, int] = field(default_factory=dict)
    """By the digest of a row, how many alike."""
    kind: str = ""
    """The kind of type that the values have, in which another could not be compared."""

    def position(self) -> str:
        """The text that a ledger keeps."""
        rows = [digest if count == 1 else [digest, count] for digest, count in sorted(self.known.items())]
        return json.dumps({"floor": self.floor, "known": rows, "kind": self.kind}, separators=(",", ":"))

    @classmethod
    def of(cls, position: str | None) -> ReadUpTo:
        """From a ledger's text; of None, nothing was read."""
        if position is None:
            return cls()
        try:
            written = json.loads(position)
            rows = [(row, 1) if isinstance(row, str) else (str(row[0]), int(row[1])) for row in written["known"]]
            return cls(None if written["floor"] is None else str(written["floor"]), dict(rows), str(written["kind"]))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise NonRetryableError(
                "the ledger of the target says in words unknown to this version how far a source was read",
                hint="`headrace run --full-refresh` reads everything anew",
            ) from error


def demand_few(rows: int, source: str, cursor: str) -> None:
    """Refuse to remember more rows than a ledger should hold."""
    if rows > MOST_KNOWN:
        raise NonRetryableError(
            f"{source}: {rows:,} rows are so near to the highest `{cursor}`, or have none, that each would have to be remembered, "
            f"and that are at most {MOST_KNOWN:,}",
            hint="choose a finer cursor or a smaller `lag`, or leave the newest rows for later: `newest: wait`",
        )


def demand_same_kind(before: ReadUpTo, kind: DataType, source: str, cursor: str) -> None:
    """Refuse to compare what earlier runs have read with values of another type."""
    if before.kind not in ("", type(kind).__name__):
        raise NonRetryableError(
            f"{source}: the cursor `{cursor}` is {kind} now, and was of another type in earlier runs",
            hint="give it the former type in the contract, or read everything anew with `headrace run --full-refresh`",
        )
