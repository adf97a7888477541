"""Writes what could not be read to a file of JSON lines, which any engine loads. Not who decides that it cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TextIO

from headrace.infrastructure.formats.opening import shown

#: Of a rejected text no more than this is kept; the message then says where the rest is.
KEPT = 1 << 16


@dataclass
class Rejects:
    """Counts the records of one file, and writes down the rejected ones under their number."""

    out: TextIO
    accepted: int = 0
    rejected: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)

    def add(self, text: bytes, reason: str, message: str) -> None:
        self.rejected += 1
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        line = text.rstrip(b"\r\n")
        if len(line) > KEPT:
            message = f"{message}; it is {len(line):,} bytes long, of which the first {KEPT:,} are kept"
        record = {"record": self.accepted + self.rejected, "text": shown(line[:KEPT]), "reason": reason, "message": message}
        self.out.write(json.dumps(record, ensure_ascii=False) + "\n")
