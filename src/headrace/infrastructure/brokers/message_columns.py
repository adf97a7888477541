"""What came of a broker, message by message, as columns. Not what is in the payloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def binary(values: Sequence[bytes | None]) -> pa.Array:
    """One array, however large they are together."""
    import pyarrow as pa

    made: Any = pa.array(values, pa.binary())
    return pa.array(values, pa.large_binary()) if isinstance(made, pa.ChunkedArray) else made


def headers_of(headers: Sequence[Sequence[tuple[str, bytes]] | None]) -> pa.Array | None:
    """Names and values of each message; None when no message has any."""
    if not any(headers):
        return None
    import pyarrow as pa

    return pa.array(headers, pa.map_(pa.string(), pa.binary()))
