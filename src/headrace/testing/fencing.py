"""The laws of sinks that are fenced: whoever lost its lease publishes nothing more, and everybody else is let alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from headrace.business.ports import Checkpoint, Fence, Staged
from headrace.errors import LeaseLost
from headrace.testing.dying import Rehearse, die_within
from headrace.testing.laws import demand

Look = Callable[[Path], Iterable[Any]]


def fence_stands_first(sink: Any, project: Path, look: Look, staged: Staged, checkpoint: Checkpoint) -> None:
    """A fence holds before there is a target, and does not make one. Afterwards the token 2 of the issuer `kit` is known."""
    sink.fence(project, checkpoint.pipeline, Fence("kit", 2))
    _demand_refused(sink, project, staged, replace(checkpoint, fence=Fence("kit", 1)), "before there was a target")
    demand(not list(look(project)), "a fence, or a publication that it refused, made rows")
    demand(not list(sink.ledger(project)), "a fence, or a publication that it refused, made an entry of the ledger")


def fences_hold(
    sink: Any, project: Path, look: Look, staged: Staged, checkpoint: Checkpoint, crashes: int, rehearse: Rehearse
) -> None:
    """Whom a fence refuses and whom not, from the token 2 of the issuer `kit` on, also after processes died on the way."""
    before, number = list(look(project)), 0

    def attempt(token: int, issuer: str = "kit", pipeline: str = checkpoint.pipeline) -> Checkpoint:
        nonlocal number
        number += 1
        at = checkpoint.at + timedelta(minutes=number)
        return replace(checkpoint, name=f"fence-{number}", at=at, pipeline=pipeline, fence=Fence(issuer, token))

    sink.fence(project, checkpoint.pipeline, Fence("kit", 3))
    _demand_refused(sink, project, staged, attempt(2), "after `fence` was called with a higher one")
    for share in ((n + 0.5) / crashes for n in range(crashes)):
        die_within(sink, project, "fence", (checkpoint.pipeline, Fence("kit", 4)), share, rehearse)
    sink.fence(project, checkpoint.pipeline, Fence("kit", 4))
    _demand_refused(sink, project, staged, attempt(3), "after processes died in `fence`")
    demand(list(look(project)) == before, "a fence, or a publication that it refused, changed the rows")
    same, higher = attempt(4), attempt(6)
    for welcome in (same, higher, attempt(1, issuer="another"), attempt(1, pipeline="another")):
        demand(not sink.publish(project, staged, welcome).already, "a checkpoint that is new was taken for one that is there")
    rows = list(look(project))
    _demand_refused(sink, project, staged, attempt(5), "after a publication with a higher one")
    _demand_refused(sink, project, staged, replace(higher, fence=Fence("kit", 5)), "where its work is done")
    demand(list(look(project)) == rows, "a publication that was refused changed the rows")
    demand(not sink.publish(project, staged, replace(attempt(0), fence=None)).already, "without a fence nobody is refused")
    _demand_refused(sink, project, staged, attempt(5), "after a publication without a fence")


def _demand_refused(sink: Any, project: Path, staged: Staged, checkpoint: Checkpoint, when: str) -> None:
    try:
        sink.publish(project, staged, checkpoint)
    except LeaseLost:
        return
    demand(False, f"a lower token was let in {when}; `publish` has to raise `LeaseLost`")
