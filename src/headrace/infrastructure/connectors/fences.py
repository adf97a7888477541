"""Who may publish: no token below the highest that a target has seen of its issuer for the pipeline. Not where tokens are stored.

A table holds them for databases (`fence_table`), a hidden file for files (`fence_file`). They are no part of the ledger, which
is forgotten with its target: a table that was dropped, or a folder that was removed, must not let an old worker in.
"""

from __future__ import annotations

from typing import Protocol

from headrace.business.ports import Fence
from headrace.errors import LeaseLost
from headrace.infrastructure.connectors import milestones

#: A run whose token is so far behind the newest has ended long ago: its own count (see `Fence.issuer`) need not be kept.
FAR_BEHIND = 10_000


class Tokens(Protocol):
    """The tokens that one target has seen."""

    def highest(self, pipeline: str, issuer: str) -> int | None: ...


class Fences(Tokens, Protocol):
    """Where they are kept. Whoever holds this keeps all others from changing them."""

    def remember(self, pipeline: str, fence: Fence) -> None:
        """Put this token in the place of the highest, and forget the counts of other runs of this pipeline that are far behind."""
        ...


def admit(fences: Fences, pipeline: str, fence: Fence | None, target: str) -> None:
    """Let a publisher in, and from then on none with a smaller token."""
    if fence is not None and is_news(fences, pipeline, fence, target):
        fences.remember(pipeline, fence)
        milestones.reached("fence written")


def counts_of_runs(fence: Fence) -> str | None:
    """How the issuers begin that are runs beside this one; None where there are none."""
    database, _, run = fence.issuer.partition("/")
    return f"{database}/" if run else None


def is_news(fences: Tokens, pipeline: str, fence: Fence | None, target: str) -> bool:
    """Whether there is a token to remember. Raises when a higher one is known."""
    if fence is None:
        return False
    highest = fences.highest(pipeline, fence.issuer)
    if highest is not None and fence.token < highest:
        raise LeaseLost(
            f"{target}: another worker took this run of `{pipeline}` over; nothing was published here",
            hint="let the other worker finish it; this one must not go on",
        )
    return highest is None or fence.token > highest
