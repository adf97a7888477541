"""The points of a publication that must survive a crash, by name, so that the process can be stopped at each. Nothing else."""

from __future__ import annotations

from headrace.application.orchestrator import failpoints


def reached(point: str) -> None:
    """A publication came to `point`, which is the failpoint `sink {point}`."""
    failpoints.reached(f"sink {point}")
