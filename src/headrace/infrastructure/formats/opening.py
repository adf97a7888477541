"""Reads a file as a stream of plain bytes, whatever compressed or encoded it. Not who knows what the bytes mean.

Everything streams, so a small file that unfolds to a huge one costs time and disk, never memory.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Literal

from headrace.errors import NonRetryableError

Compression = Literal["none", "gzip", "zstd", "bz2"]

#: How many bytes are read at a time.
BLOCK = 1 << 20

#: How many blocks of a file make a sample of it.
SAMPLED_BLOCKS = 8

#: The first bytes of compressed files, which say more than their names.
MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def blocks(path: str, compression: Compression | None = None) -> Iterator[bytes]:
    """The file's bytes, decompressed, none of the blocks empty. Without `compression` its first bytes decide."""
    with _refusals(path)(lambda: open(path, "rb")) as raw:  # noqa: PTH123 - a path may hold any character
        read = _refusals(path)
        kind = compression or read(lambda: found_compression(raw))
        stream = read(lambda: decompressed(raw, kind))
        while block := read(lambda: stream.read(BLOCK)):
            yield block


def found_compression(raw: BinaryIO) -> Compression:
    """Which compression the first bytes show."""
    start = raw.read(4)
    raw.seek(0)
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "none")


def _refusals(path: str) -> Callable[[Callable[[], Any]], Any]:
    """Runs one operation on the file and says in our words why it failed."""

    def run(operation: Callable[[], Any]) -> Any:
        try:
            return operation()
        except (EOFError, OSError, ValueError, zlib.error) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NonRetryableError(
                f"`{path}` cannot be read: {said}", hint="see that the file is whole and readable"
            ) from error

    return run


def decompressed(raw: BinaryIO, kind: Compression) -> Any:
    if kind == "gzip":
        import gzip

        return gzip.open(raw)
    if kind == "bz2":
        import bz2

        return bz2.open(raw)
    return _zstd(raw) if kind == "zstd" else raw


def _zstd(raw: BinaryIO) -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise NonRetryableError("reading zstd files needs PyArrow", hint='pip install "headrace[arrow]"') from None
    return pa.CompressedInputStream(raw, "zstd")


def found_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark at the start names."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def as_utf8(stream: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The text as UTF-8, without a byte order mark.

    Bytes that are no text in the encoding come as surrogates, which UTF-8 does not allow either: whoever checks the UTF-8
    finds them, and `shown` turns them back into their bytes.
    """
    if is_utf8(encoding):
        yield from _unmarked(iter(stream))
        return
    codecs.register_error("headrace.escape", _escape)
    decoder = codecs.getincrementaldecoder(encoding)(errors="headrace.escape")
    at_start = True
    for block in stream:
        text = decoder.decode(block)
        yield (text.removeprefix("\ufeff") if at_start else text).encode("utf-8", "surrogatepass")
        at_start = at_start and not text
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def _unmarked(stream: Iterator[bytes]) -> Iterator[bytes]:
    start = b""
    while len(start) < len(codecs.BOM_UTF8) and (block := next(stream, None)) is not None:
        start += block
    if start:
        yield start.removeprefix(codecs.BOM_UTF8)
    yield from stream


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


def shown(text: bytes) -> str:
    r"""Text for people: bytes that are not UTF-8, and NUL, are written as `\xff`."""
    try:
        decoded = text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        decoded = text.decode("utf-8", "backslashreplace")
    if "\x00" not in decoded and decoded.isprintable():
        return decoded
    return "".join(_visible(char) for char in decoded)


def _visible(char: str) -> str:
    code = ord(char)
    if code == 0:
        return "\\x00"
    if 0xDC00 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else char
