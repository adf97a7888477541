"""What changed between two schemas, and how much it matters to those who read the data. Not what is done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Date, Decimal, Enum, Float, Integer, List, Null, String, Struct, Timestamp
from headrace.records import record

ChangeKind = Literal["added", "removed", "renamed", "reordered", "widened", "narrowed", "changed", "nullable", "not_null"]

#: Whether readers go on as before, should be asked first, or break.
Impact = Literal["compatible", "approval", "breaking"]

KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)

IMPACT: dict[ChangeKind, Impact] = {
    "added": "compatible",
    "removed": "breaking",
    "renamed": "breaking",
    "reordered": "compatible",
    "widened": "compatible",
    "narrowed": "approval",
    "changed": "breaking",
    "nullable": "approval",
    "not_null": "compatible",
}


@record
class Change:
    """One difference. `column` leads to it, through structs and lists too (`address.city`, `tags[]`)."""

    kind: ChangeKind
    column: str
    before: str = ""
    after: str = ""

    @property
    def impact(self) -> Impact:
        return IMPACT[self.kind]

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"`{self.column}` ({self.after}) was added"
            case "removed":
                return f"`{self.column}` ({self.before}) was removed"
            case "renamed":
                return f"`{self.before}` was renamed to `{self.after}`"
            case "reordered":
                return f"`{self.column}` moved from place {self.before} to {self.after}"
            case "nullable":
                return f"`{self.column}` may now be null"
            case "not_null":
                return f"`{self.column}` is never null any more"
            case _:
                return f"`{self.column}` was {self.kind} from {self.before} to {self.after}"


def classify(before: Schema, after: Schema) -> list[Change]:
    """Every difference, in the order of the later schema, with what was removed at the end.

    A column is known by its name. One that went away where another of the same type came was renamed: both must stand
    between the same columns that stayed.
    """
    renamed = _renames(before, after)
    changes: list[Change] = []
    for column in after:
        if column.name in renamed:
            old = before[renamed[column.name]]
            changes.append(Change("renamed", column.name, old.name, column.name))
            changes += _nullability(column.name, old.nullable, column.nullable)
        elif column.name in before:
            old = before[column.name]
            changes += _retyped(column.name, old.type, column.type)
            changes += _nullability(column.name, old.nullable, column.nullable)
        else:
            changes.append(Change("added", column.name, "", str(column.type)))
    changes += _moved(before, after)
    gone = [c for c in before if c.name not in after and c.name not in renamed.values()]
    return [*changes, *(Change("removed", c.name, str(c.type), "") for c in gone)]


def _renames(before: Schema, after: Schema) -> dict[str, str]:
    """New names to old ones."""
    waiting = [(slot, c) for slot, c in _slots(before, after) if c.name not in after]
    pairs = {}
    for slot, column in _slots(after, before):
        if column.name in before:
            continue
        match = next((w for w in waiting if w[0] == slot and w[1].type == column.type), None)
        if match is not None:
            waiting.remove(match)
            pairs[column.name] = match[1].name
    return pairs


def _slots(schema: Schema, other: Schema) -> Iterator[tuple[str | None, Column]]:
    """Each column with the last one before it that both schemas have."""
    last = None
    for column in schema:
        yield last, column
        if column.name in other:
            last = column.name


def _moved(before: Schema, after: Schema) -> Iterator[Change]:
    """The fewest columns that must have moved: those outside the longest run that kept its order."""
    old = [name for name in before.names if name in after]
    new = [name for name in after.names if name in before]
    kept = _longest_increasing([old.index(name) for name in new])
    for place, name in enumerate(new):
        if old.index(name) not in kept:
            yield Change("reordered", name, str(old.index(name) + 1), str(place + 1))


def _longest_increasing(numbers: Sequence[int]) -> set[int]:
    best: list[list[int]] = []
    for i, number in enumerate(numbers):
        before = _longest([best[j] for j in range(i) if numbers[j] < number])
        best.append([*before, number])
    return set(_longest(best))


def _longest(runs: list[list[int]]) -> list[int]:
    return max(runs, key=len) if runs else []


def _nullability(name: str, before: bool, after: bool) -> Iterator[Change]:
    if before != after:
        yield Change("nullable" if after else "not_null", name)


def _retyped(name: str, before: DataType, after: DataType) -> Iterator[Change]:
    if before == after:
        return
    match before, after:
        case Struct(), Struct():
            yield from _refielded(name, before, after)
        case List(), List():
            yield from _retyped(f"{name}[]", before.item, after.item)
        case _:
            kind: ChangeKind = "widened" if holds(after, before) else "narrowed" if holds(before, after) else "changed"
            yield Change(kind, name, str(before), str(after))


def _refielded(name: str, before: Struct, after: Struct) -> Iterator[Change]:
    nested = classify(_as_schema(before), _as_schema(after))
    for change in nested:
        named = change.kind == "renamed"
        path = f"{name}.{change.column}"
        yield Change(change.kind, path, f"{name}.{change.before}" if named else change.before, path if named else change.after)


def _as_schema(struct: Struct) -> Schema:
    return Schema(tuple(Column(name, kind) for name, kind in struct.fields))


def holds(wide: DataType, narrow: DataType) -> bool:
    """Whether every value of `narrow` is a value of `wide`, exactly."""
    match wide, narrow:
        case _, Null():
            return True
        case Integer(), Integer():
            return wide.lowest <= narrow.lowest and narrow.highest <= wide.highest
        case Decimal(), Decimal():
            return wide.scale >= narrow.scale and wide.precision - wide.scale >= narrow.precision - narrow.scale
        case Decimal(), Integer():
            largest: int = 10 ** (wide.precision - wide.scale) - 1
            return -largest <= narrow.lowest and narrow.highest <= largest
        case Float(), Float():
            return wide.bits >= narrow.bits
        case Float(), Integer():
            return narrow.bits <= (32 if wide.bits == 64 else 16)
        case Timestamp(zone=False), Date():
            return True
        case Enum(), Enum():
            return frozenset(narrow.values).issubset(wide.values)
        case String(), Enum():
            return True
    return False
