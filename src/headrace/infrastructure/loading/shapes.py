"""What the models of options allow at a place in them: which keys, by walking their type hints. Not whether a value is right."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that a mapping may have at the place that Pydantic calls `loc`."""
    shapes: list[Any] = [model]
    for part in loc:
        below = [found for shape in shapes for found in _below(shape, part)]
        if below:
            shapes = below
        elif named := [s for s in shapes if _is_model(s) and s.__name__ == part]:
            shapes = named
    found = [key for shape in shapes if _is_model(shape) for key in keys_of(shape)]
    return tuple(dict.fromkeys(found))


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a model as definitions write them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _is_model(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)


def _below(shape: Any, part: str | int) -> Iterator[Any]:
    if _is_model(shape):
        for name, field in shape.model_fields.items():
            if part in (name, field.alias):
                yield from _members(field.annotation)
        return
    origin, args = get_origin(shape), get_args(shape)
    if not isinstance(origin, type):
        return
    if issubclass(origin, Mapping) and len(args) == 2 and part != "[key]":
        yield from _members(args[1])
    elif isinstance(part, int) and issubclass(origin, tuple | Sequence | frozenset | set):
        for item in args:
            yield from _members(item)


def _members(annotation: Any) -> Iterator[Any]:
    """The alternatives of a type hint."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
