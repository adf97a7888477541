"""The tokens that a target of files has seen: a hidden file beside it, changed whole, under the publishing lock. Not who is refused.

It lies beside the target and not in it, so that it is there before the target is, and stays when the target is removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from headrace.business.ports import Fence
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import atomic_files

VERSION = 1


@dataclass(frozen=True, slots=True)
class FenceFile:
    """The tokens of the folder or file `target`. It is made when there is a first one to remember."""

    target: Path

    @property
    def path(self) -> Path:
        return self.target.with_name(atomic_files.hidden(self.target, "fences"))

    def highest(self, pipeline: str, issuer: str) -> int | None:
        return self._read().get((pipeline, issuer))

    def remember(self, pipeline: str, fence: Fence) -> None:
        known = self._read() | {(pipeline, fence.issuer): fence.token}
        fences = [{"pipeline": p, "issuer": i, "token": token} for (p, i), token in known.items()]
        data = json.dumps({"headrace": VERSION, "fences": fences}, indent=1, ensure_ascii=False).encode() + b"\n"
        atomic_files.write_whole(self.path, data, atomic_files.new_beside(self.target))

    def _read(self) -> dict[tuple[str, str], int]:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            written = json.loads(text)
            version = written["headrace"]
            known = {(str(f["pipeline"]), str(f["issuer"])): int(f["token"]) for f in written["fences"]}
        except (ValueError, KeyError, TypeError):
            version, known = None, {}
        if version != VERSION:
            # Whom it would refuse cannot be told any more, so nobody is let in.
            raise NonRetryableError(
                f"{self.path}: is not what this version of Headrace writes there, so it cannot tell who may publish",
                hint="see that no other worker runs the pipeline, then remove the file",
            )
        return known
