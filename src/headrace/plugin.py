"""For people who write plugins: the ports, what flows through them, and the errors to raise. Nothing else is public to plugins.

A plugin is a frozen model that derives from `Plugin` and keeps one of the protocols. It is registered by an entry point in the
group `headrace.sources`, `headrace.steps`, `headrace.checks`, `headrace.sinks` or `headrace.connections`.
"""

from __future__ import annotations

from headrace.business.connections import Answer, Connection, Profile
from headrace.business.model.durations import Duration
from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.business.model.schema import Column, Schema
from headrace.business.model.wording import Misworded
from headrace.business.movable import Movable
from headrace.business.ports import (
    Batch,
    Check,
    Checkpoint,
    Fence,
    Fenced,
    Measured,
    Position,
    Publication,
    Publisher,
    Readable,
    Scannable,
    Sink,
    Source,
    Staged,
    Step,
    Verdict,
)
from headrace.business.processing.relation import Relation
from headrace.errors import DefinitionError, LeaseLost, NonRetryableError, Problem, RetryableError

__all__ = [
    "Answer",
    "Batch",
    "Check",
    "Checkpoint",
    "Column",
    "Connection",
    "DefinitionError",
    "Duration",
    "Fence",
    "Fenced",
    "LeaseLost",
    "Measured",
    "Misworded",
    "Movable",
    "NonRetryableError",
    "Plugin",
    "Position",
    "Problem",
    "Profile",
    "Publication",
    "Publisher",
    "Readable",
    "Relation",
    "RetryableError",
    "Scannable",
    "Schema",
    "Sink",
    "Source",
    "Sql",
    "Staged",
    "Step",
    "Verdict",
]
