"""Reads messages that begin with the number of their schema (Confluent's wire format): those of one schema together. Not the records."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from headrace.business.streams.messages import Decoded, Unreadable
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.messages.bodies import Decode, in_order, renumbered
from headrace.infrastructure.formats.messages.registry import MAGIC, PREFIX, MissingReference, Registered, Registry
from headrace.infrastructure.formats.messages.typed_columns import no_rows

if TYPE_CHECKING:
    import pyarrow as pa

#: More bytes than a body can have.
_ALL = (1 << 31) - 1


class ById:
    """Reads bodies by what `decode_for` makes of their schemas, each of which is asked for once."""

    def __init__(self, registry: Registry, kind: str, schema: pa.Schema, decode_for: Callable[[Registered], Decode]) -> None:
        self._registry, self._kind, self._schema, self._decode_for = registry, kind, schema, decode_for
        self._decoders: dict[int, Decode | Unreadable] = {}

    def __call__(self, bodies: pa.Array) -> Decoded:
        import pyarrow as pa
        import pyarrow.compute as pc

        begins = pc.binary_replace_slice(bodies, PREFIX, _ALL, b"").dictionary_encode()
        parts = []
        for nth, begin in enumerate(begins.dictionary.to_pylist()):
            numbers = pc.indices_nonzero(pc.equal(begins.indices, nth)).cast("int32")
            found = self._decoder(begin)
            if isinstance(found, Unreadable):
                letters = [Unreadable(number, found.reason, found.detail) for number in numbers.to_pylist()]
                parts.append(Decoded(no_rows(self._schema), numbers.slice(0, 0), letters))
            elif len(begins.dictionary) == 1:
                return found(pc.binary_replace_slice(bodies, 0, PREFIX, b""))
            else:
                parts.append(renumbered(found(pc.binary_replace_slice(bodies.take(numbers), 0, PREFIX, b"")), numbers))
        if not parts:
            return Decoded(no_rows(self._schema))
        rows = pa.concat_batches([part.rows for part in parts])
        origins = pa.concat_arrays([part.origins for part in parts])
        order = pc.sort_indices(pa.table({"origin": origins}), sort_keys=[("origin", "ascending")])
        return Decoded(rows.take(order), origins.take(order), in_order([bad for part in parts for bad in part.unreadable]))

    def _decoder(self, begin: bytes) -> Decode | Unreadable:
        """What reads the bodies that begin so, or why nothing can."""
        if len(begin) < PREFIX or not begin.startswith(MAGIC):
            return Unreadable(0, "registry.no_id", "the message does not begin with the number of a schema")
        (number,) = struct.unpack(">I", begin[1:])
        if number not in self._decoders:
            try:
                registered = self._registry.schema(number)
            except MissingReference as error:
                return Unreadable(0, "registry.unknown_id", error.message)
            if registered is None:
                return Unreadable(0, "registry.unknown_id", f"the registry has no schema {number}")
            self._decoders[number] = self._made(registered)
        return self._decoders[number]

    def _made(self, registered: Registered) -> Decode | Unreadable:
        if registered.type != self._kind:
            return Unreadable(0, "registry.other_type", f"schema {registered.id} is {registered.type}, not {self._kind}")
        try:
            return self._decode_for(registered)
        except NonRetryableError as error:
            return Unreadable(0, f"{self._kind.lower()}.schema", error.message)
