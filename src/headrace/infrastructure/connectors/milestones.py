"""The points of a publication that must survive a crash, by name, so that a test can stop the process at each. Nothing else."""

from __future__ import annotations


def reached(point: str) -> None:
    """A publication came to `point`. Does nothing: tests put a function here that ends the process."""
