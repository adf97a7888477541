"""Messages and readers, for tests of formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.ports import Position
from headrace.business.streams.messages import Decoded, MessageReader, Messages
from headrace.infrastructure.formats.message_formats import message_format


def as_messages(bodies: Sequence[bytes | None]) -> Messages:
    return Messages("0", pa.array(bodies, pa.binary()), pa.array(range(len(bodies)), pa.int64()), Position(str(len(bodies))))


def text_columns(names: Sequence[str]) -> Schema:
    return Schema(tuple(Column(name, String()) for name in names))


def reader_of(written: Any, declared: Schema | Sequence[str], project: Path = Path()) -> MessageReader:
    """A reader of a format as a definition names it, for what a contract declares: columns, or names of texts."""
    schema = declared if isinstance(declared, Schema) else text_columns(declared)
    format_ = message_format(written)
    return format_.reader(format_.scan(schema, project).schema, project)


def told(decoded: Decoded) -> list[tuple[int, str]]:
    """Of each letter the message and the reason."""
    return [(bad.message, bad.reason) for bad in decoded.unreadable]
