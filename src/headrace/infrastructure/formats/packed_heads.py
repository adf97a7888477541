"""The start of a packed text as a packed text of its own, so that the rest need not be here to look at it. Not for reading rows."""

from __future__ import annotations

import io
import zlib

from headrace.infrastructure.formats.opening import Compression, decompressed, found_encoding, is_utf8

#: So much is unpacked at a time, and so much at the most.
_STEP, _MOST = 64 << 10, 2 << 20


def packed_head(start: bytes, kind: Compression) -> bytes | None:
    """Its lines that are whole, packed again, by the first bytes of a file; None where nothing can be made of these alone."""
    text = _unpacked(start, kind)
    marked = found_encoding(text[:4])
    lines = text[: text.rfind(b"\n") + 1]
    return _packed(lines, kind) if lines and (marked is None or is_utf8(marked)) else None


def _unpacked(start: bytes, kind: Compression) -> bytes:
    stream = decompressed(io.BytesIO(start), kind)
    read = getattr(stream, "read1", stream.read)
    text = b""
    try:
        while len(text) < _MOST and (block := read(_STEP)):
            text += block
    except (
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ):  # where the start ends; whoever reads the file says what is wrong with it
        return text
    return text


def _packed(text: bytes, kind: Compression) -> bytes:
    if kind == "bz2":
        import bz2

        return bz2.compress(text, 1)
    if kind == "zstd":
        import pyarrow as pa

        return bytes(pa.Codec("zstd").compress(text, asbytes=True))
    import gzip

    return gzip.compress(text, 1)
