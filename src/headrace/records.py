"""Records: what `dataclass(frozen=True, slots=True)` makes of a class, at a tenth of the price. Not for classes that change.

A dataclass has six methods written and compiled for it alone, which takes half a millisecond. A run declares two hundred classes
and makes instances of some: that was a fifth of a short command. Records share what can be written once, and get the rest when
the first instance is made. They are dataclasses for all who ask (`fields`, `replace`, `asdict`, patterns), but only another
record may derive from a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError, dataclass, field, fields, make_dataclass
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a record of a class: its annotations are its fields. A method that it defines by itself stays as it is."""
    shared = {name: method for name, method in _SHARED.items() if name not in vars(cls)}
    cls.__doc__ = cls.__doc__ or cls.__name__  # a dataclass without one looks for its signature, to put that there
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__record__ = _Shape(made)
    for name, method in shared.items():
        setattr(made, name, method)
    return made  # type: ignore[no-any-return]


class _Shape:
    """What the shared methods know of a record's class."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.fields: tuple[Field[Any], ...] = fields(cls)
        self.compared = _values(f.name for f in self.fields if f.compare)
        self.hashed = _values(f.name for f in self.fields if (f.compare if f.hash is None else f.hash))


def _values(names: Any) -> Callable[[Any], Any]:
    chosen = tuple(names)
    return attrgetter(*chosen) if chosen else lambda _: ()


class _Methods:
    __record__: _Shape

    def __init__(self, /, *values: Any, **named: Any) -> None:
        """Of a class without instances. The first gives it the one that a dataclass of these fields has."""
        shape = self.__record__
        cls, given = shape.cls, [(f.name, f.type, f) for f in shape.fields]
        beside = {"__doc__": cls.__doc__} | ({"__post_init__": cls.__post_init__} if hasattr(cls, "__post_init__") else {})
        alike = make_dataclass(cls.__name__, given, namespace=beside, frozen=True, repr=False, eq=False)
        cls.__init__ = vars(alike)["__init__"]
        cls.__init__(self, *values, **named)

    def __repr__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in self.__record__.fields if f.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        compared = self.__record__.compared
        return compared(self) == compared(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__record__.hashed(self))

    def __setattr__(self, name: str, _: Any) -> None:
        raise FrozenInstanceError(f"a {type(self).__name__} never changes: its {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"a {type(self).__name__} never changes: its {name} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), {f.name: getattr(self, f.name) for f in self.__record__.fields})


def _restored(cls: type[T], named: dict[str, Any]) -> T:
    return cls(**named)


_SHARED = {name: method for name, method in vars(_Methods).items() if callable(method)}
