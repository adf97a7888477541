"""Records: what `dataclass(frozen=True, slots=True)` makes of a class, at a tenth of the price. Not for classes that change.

A dataclass has six methods written and compiled for it alone, which takes half a millisecond. A run declares two hundred classes
and makes instances of some: that was a fifth of a short command. Records share what can be written once, and get the rest when
the first instance is made. They are dataclasses for all who ask (`fields`, `replace`, `asdict`, patterns), but only another
record may derive from a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
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
        """Of a class without instances. The first gives it one of its own."""
        cls = self.__record__.cls
        cls.__init__ = _written(cls, self.__record__.fields)
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


def _written(cls: Any, given: Sequence[Field[Any]]) -> Any:
    """The `__init__` that a frozen dataclass of these fields has."""
    known: dict[str, Any] = {"_put": object.__setattr__, "_unset": MISSING}
    by_place, by_name, lines = ["self"], ["*"], []
    for number, f in enumerate(given):
        known[standard := f"_{number}"] = f.default if f.default_factory is MISSING else f.default_factory
        if f.init:
            (by_name if f.kw_only else by_place).append(_parameter(f, standard))
        if f.init or known[standard] is not MISSING:
            lines.append(f"_put(self, {f.name!r}, {_value(f, standard)})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = by_place + (by_name if len(by_name) > 1 else [])
    text = f"def __init__({', '.join(parameters)}):\n    " + ("\n    ".join(lines) or "pass")
    exec(text, known)  # noqa: S102 - as `dataclasses` does: names of fields, and nothing that came from outside
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _parameter(f: Field[Any], standard: str) -> str:
    if f.default_factory is not MISSING:
        return f"{f.name}=_unset"
    return f.name if f.default is MISSING else f"{f.name}={standard}"


def _value(f: Field[Any], standard: str) -> str:
    if f.default_factory is not MISSING:
        return f"{standard}() if {f.name} is _unset else {f.name}" if f.init else f"{standard}()"
    return f.name if f.init else standard


def _restored(cls: type[T], named: dict[str, Any]) -> T:
    return cls(**named)


_SHARED = {name: method for name, method in vars(_Methods).items() if callable(method)}
