"""The tokens that a target of files has seen: a hidden file beside it, changed whole, under the publishing lock. Not who is refused.

It lies beside the target and not in it, so that it is there before the target is, and stays when the target is removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.business.ports import Fence
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import atomic_files
from headrace.infrastructure.connectors.fences import FAR_BEHIND, counts_of_runs

VERSION = 1


Tokens = dict[tuple[str, str], int]


def admitted(known: Tokens, pipeline: str, fence: Fence) -> Tokens:
    """The tokens with one more, without those of other runs of the pipeline that are far behind."""
    beside, old = counts_of_runs(fence), fence.token - FAR_BEHIND
    near = {
        (p, issuer): token
        for (p, issuer), token in known.items()
        if not (beside and p == pipeline and issuer.startswith(beside) and token < old)
    }
    return near | {(pipeline, fence.issuer): fence.token}


def as_json(known: Tokens) -> list[dict[str, Any]]:
    return [{"pipeline": p, "issuer": i, "token": token} for (p, i), token in known.items()]


def tokens(written: Iterable[Mapping[str, Any]]) -> Tokens:
    return {(str(f["pipeline"]), str(f["issuer"])): int(f["token"]) for f in written}


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
        known = {"headrace": VERSION, "fences": as_json(admitted(self._read(), pipeline, fence))}
        data = json.dumps(known, indent=1, ensure_ascii=False).encode() + b"\n"
        atomic_files.write_whole(self.path, data, atomic_files.new_beside(self.target))

    def _read(self) -> Tokens:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            written = json.loads(text)
            version = written["headrace"]
            known = tokens(written["fences"])
        except (ValueError, KeyError, TypeError):
            version, known = None, {}
        if version != VERSION:
            # Whom it would refuse cannot be told any more, so nobody is let in.
            raise NonRetryableError(
                f"{self.path}: is not what this version of Headrace writes there, so it cannot tell who may publish",
                hint="see that no other worker runs the pipeline, then remove the file",
            )
        return known
