"""The state of a stream's steps as bytes, and back: Arrow streams that say of which steps they are. Not where they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.streams.slots import put_together
from headrace.business.streams.state import Saved
from headrace.errors import NonRetryableError

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX = "state "
_FINGERPRINT, _HORIZON = b"headrace.fingerprint", b"headrace.horizon"


def part_name(step: str, table: str) -> str:
    return _PREFIX + (f"{step} {table}" if table else step)


def fingerprint(meaning: object, schema: Schema) -> str:
    """What decides whether what was kept can be gone on with."""
    said = repr((meaning, [str(column) for column in schema]))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def written(rows: pa.Table, mark: str, horizon: int) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    known = rows.schema.metadata or {}
    schema = rows.schema.with_metadata({**known, _FINGERPRINT: mark.encode(), _HORIZON: str(horizon).encode()})
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(rows.replace_schema_metadata(schema.metadata))
    return bytes(sink.getvalue())


def read(step: str, table: str, mark: str, saved: Sequence[Saved]) -> tuple[list[pa.Table], list[int], int]:
    """What was kept for a step, how many epochs ago each slot was saved whole, and up to which horizon windows had closed.

    Raises `NonRetryableError` when it is of another step.
    """
    import pyarrow as pa

    tables: list[pa.Table] = []
    name = part_name(step, table)
    for epoch in (
        epoch for epoch in saved if name in epoch.parts or epoch is saved[-1]
    ):  # a rule may be younger than the others
        part = epoch.parts.get(name)
        if part is None:
            hint = "begin anew with `headrace streams replay --from earliest`, or run the definition as it was"
            raise NonRetryableError(f"the saved state of the stream knows nothing of step `{step}`", hint=hint)
        rows = pa.ipc.open_stream(part).read_all()
        if rows.schema.metadata[_FINGERPRINT].decode() != mark:
            hint = "run it as it was until its windows are closed, or begin anew with `headrace streams replay --from earliest`"
            raise NonRetryableError(f"`{step}` has changed: its state is of other keys, windows or measures", hint=hint)
        tables.append(rows)
    return *put_together(tables), int(tables[-1].schema.metadata[_HORIZON])
