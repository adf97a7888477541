"""The catalogue: bytes and text. Casts are not functions: see `casting` and `docs/specs/semantics.md`."""

from __future__ import annotations

from headrace.business.processing.expressions.function import Function

_CONVERT = "Conversion"

FUNCTIONS = (
    Function("encode(text: string) -> binary", "The UTF-8 bytes of a text.", "cast(encode('é') as string)", "'c3a9'", _CONVERT),
    Function("to_hex(value: integer) -> string", "The hexadecimal digits of a whole number that is not negative, in lower case; null for a negative one.", "to_hex(255)", "'ff'", _CONVERT, nulls="null when the value is null or negative"),
    Function("byte_length(value: binary) -> int64", "How many bytes there are.", "byte_length(encode('é'))", "2", _CONVERT),
)  # fmt: skip
