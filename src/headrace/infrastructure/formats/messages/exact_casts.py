"""Casts between the types of Arrow that lose nothing but what a cast of the definition may lose, too: the last digits of what becomes
a float. Not which columns they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def exactly(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values as another type of the same kind. Raises `ArrowInvalid` when one does not fit."""
    import pyarrow as pa
    import pyarrow.types as t

    given = values.type
    if t.is_dictionary(given):
        return exactly(values.cast(given.value_type), kind)
    if t.is_floating(kind) and _number(given):
        return _as_floats(values, kind)
    if t.is_decimal(kind) and t.is_integer(given):  # Arrow looks at how large an integer might be, not at how large these are
        return values.cast(pa.decimal128(38, min(kind.scale, 18))).cast(kind)
    cast = values.cast(kind)
    if (t.is_decimal(kind) and t.is_floating(given)) or (t.is_date(kind) and t.is_timestamp(given)):
        _demand_equal(cast.cast(given), values, kind)
    return cast


def _as_floats(values: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    cast = values.cast(kind, safe=False)
    if pa.types.is_floating(values.type):
        beyond = pc.and_(pc.is_inf(cast), pc.invert(pc.is_inf(values)))
        if pc.any(beyond).as_py():
            raise pa.ArrowInvalid(f"a number is too large for {kind}")
    return cast


def _demand_equal(cast: pa.Array, values: pa.Array, kind: pa.DataType) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.all(pc.equal(cast, values), min_count=0).as_py():
        raise pa.ArrowInvalid(f"a value does not fit {kind} exactly")


def same_kind(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether some values of one type are values of the other. Texts are never read as anything else: a text format is for that."""
    import pyarrow.types as t

    if t.is_null(given):
        return True
    if t.is_dictionary(given):
        return same_kind(given.value_type, wanted)
    if t.is_nested(given) or t.is_nested(wanted):
        return _same_nesting(given, wanted)
    if t.is_timestamp(given) and t.is_timestamp(wanted):
        return (given.tz is None) == (wanted.tz is None)
    return any(
        kind(given) and kind(wanted) for kind in (_number, _text, _bytes, t.is_boolean, _moment, t.is_time, t.is_interval)
    )


def _same_nesting(given: pa.DataType, wanted: pa.DataType) -> bool:
    import pyarrow.types as t

    lists = (t.is_list, t.is_large_list, t.is_fixed_size_list)
    if any(kind(given) for kind in lists) and any(kind(wanted) for kind in lists):
        return same_kind(given.value_type, wanted.value_type)
    if t.is_struct(given) and t.is_struct(wanted):
        return {f.name for f in given} == {f.name for f in wanted} and all(
            same_kind(given.field(f.name).type, f.type) for f in wanted
        )
    return False


def _number(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))


def _text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind))


def _bytes(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind) or t.is_binary_view(kind))


def _moment(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_date(kind) or t.is_timestamp(kind))
