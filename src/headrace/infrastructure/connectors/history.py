"""The history that scd2 keeps: its columns, its time, and what speaks against it. Not the statements that keep it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from headrace.business.model.schema import Column
from headrace.business.model.types import Boolean, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.sql_text import literal

_KINDS = (Timestamp(zone=True), Timestamp(zone=True), Boolean())


def history_columns(options: PublishingOptions, existing: Iterable[str]) -> tuple[Column, ...]:
    """The columns that scd2 needs and `existing` has not; none for other modes."""
    there = set(existing)
    return tuple(Column(name, kind) for name, kind in zip(options.history, _KINDS, strict=False) if name not in there)


def instant(at: datetime) -> str:
    """The time of a publication as a value of DuckDB or PostgreSQL."""
    return f"TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat(sep=' '))}"


def too_late(target: str, at: datetime) -> NonRetryableError:
    """A version must not end before it began."""
    return NonRetryableError(
        f"{target}: versions that began after {at.isoformat()} are there already, so this publication comes too late",
        hint="run the pipeline again, so that its rows are newer than those that are there",
    )


def missing_history(target: str, columns: Iterable[Column]) -> NonRetryableError:
    """Rows without a history cannot get one: nobody knows since when they are valid."""
    return NonRetryableError(
        f"{target}: has rows, but not the columns that scd2 needs: {', '.join(c.name for c in columns)}",
        hint="publish to a new target, or add the columns and fill them",
    )
