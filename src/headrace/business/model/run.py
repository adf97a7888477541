"""The states of a run and which may follow which. Not what happens in them.

queued ─┬─► running ─┬─► succeeded
  ▲ │   │    ▲ │ │   ├─► failed ──────┐
  │ ▼   │    │ │ ▼   └─► cancelled ───┤   (only by hand: resumed or retried)
waiting ─┴───┘ │ cancelling           │
  ▲────────────┘                      │
  └───────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

RunState = Literal["queued", "waiting", "running", "cancelling", "succeeded", "failed", "cancelled"]

#: The states that a run does not leave by itself.
ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})

#: What each fact makes of a run, by the written name of the event without its version.
AFTER: Mapping[str, RunState] = {
    "pipeline.queued": "queued",
    "pipeline.waiting": "waiting",
    "pipeline.claimed": "running",
    "pipeline.started": "running",
    "pipeline.cancel_requested": "cancelling",
    "pipeline.lease_lost": "waiting",
    "pipeline.reopened": "queued",
    "pipeline.completed": "succeeded",
    "pipeline.failed": "failed",
    "pipeline.cancelled": "cancelled",
}

_MAY_FOLLOW: Mapping[str, frozenset[str]] = {
    "": frozenset({"queued", "running"}),
    "queued": frozenset({"waiting", "running", "cancelled", "failed"}),
    "waiting": frozenset({"waiting", "running", "cancelled", "failed"}),
    "running": frozenset({"running", "waiting", "cancelling", "succeeded", "failed", "cancelled"}),
    "cancelling": frozenset({"cancelling", "cancelled", "succeeded", "failed", "waiting", "running"}),
    "failed": frozenset({"queued", "succeeded"}),
    "cancelled": frozenset({"queued"}),
    "succeeded": frozenset(),
}
"""A failed run becomes a succeeded one without being run again only where its targets say so: its process died behind its last
publication. A cancelling run whose worker was lost goes on with being cancelled by the next."""


def may_follow(state: str, following: str) -> bool:
    """Whether a run in one state (empty: there is none yet) may come to another."""
    return following in _MAY_FOLLOW[state]
