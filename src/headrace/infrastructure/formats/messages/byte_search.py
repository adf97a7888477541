"""Looks for bytes in a whole column of text at once, by NumPy, as fast as memory is read. Not what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Bytes = npt.NDArray[np.uint8]

#: A number of so many digits and points is one that has to be looked at.
LONG = 19
#: It has at least so many words of four bytes, wherever in them it begins.
_WORDS = (LONG - 3) // 4


def bytes_of(texts: pa.Array) -> Bytes:
    """All the bytes of texts (`string`), as they lie in memory."""
    import numpy as np
    import pyarrow as pa

    _, offsets, content = texts.buffers()
    if content is None:
        return np.empty(0, np.uint8)
    ends = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets], offset=texts.offset)
    return np.frombuffer(content, np.uint8)[ends[0].as_py() : ends[-1].as_py()]


def count_of(char: str, content: Bytes) -> int:
    """How often an ASCII character is there."""
    import numpy as np

    return int(np.count_nonzero(content == ord(char)))


def may_have_long_numbers(content: Bytes) -> bool:
    """False when nowhere `LONG` digits and points are in a row; else it has to be looked at more closely."""
    import numpy as np

    if len(content) < LONG:
        return False
    words = len(content) // 4
    digits = (content - np.uint8(ord("."))) < 12  # and a slash, which is between them
    full: Any = digits[: words * 4].view(np.uint32) == 0x01010101
    row = full[: words - _WORDS + 1]
    for further in range(1, _WORDS):
        row = row & full[further : further + len(row)]
    return bool(row.any())
