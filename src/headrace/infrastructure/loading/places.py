"""From a path through a definition to a place in its file, and further into the text of an expression. Not what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from headrace.business.model.references import Replaced
from headrace.errors import Location, Path, Problem
from headrace.infrastructure.loading.offsets import source_offsets
from headrace.records import record

_BREAK = re.compile(r"\r\n|\r|\n")


class Whereabouts(Protocol):
    """Knows where the parts of a definition were written."""

    def of(self, path: Path, on_key: bool = False, offset: int | None = None) -> Location | None: ...


@dataclass(slots=True)
class Places:
    """The places of a YAML document. A path that it does not hold has the place of what it holds of it."""

    file: str
    text: str = ""
    values: dict[Path, Any] = field(default_factory=dict)
    """The parser's event for each value."""
    keys: dict[Path, Any] = field(default_factory=dict)
    """The parser's event for the key of each value of a mapping."""
    replaced: dict[Path, list[Replaced]] = field(default_factory=dict)
    """Where a text was changed by references, so that offsets into the finished one lead back."""
    mounted: dict[Path, Whereabouts] = field(default_factory=dict)
    """The places of parts that are in files of their own."""

    def of(self, path: Path, on_key: bool = False, offset: int | None = None) -> Location | None:
        for root, other in self.mounted.items():
            if path[: len(root)] == root and len(path) > len(root):
                return other.of(path[len(root) :], on_key, offset)
        found: Path = ()
        for part in path:
            # What is not there was filled in by a shorthand: `filter: x > 0` has its `condition` all the same.
            if (*found, part) in self.values:
                found = (*found, part)
        if on_key and found in self.keys:
            return self._at(self.keys[found])
        event = self.values.get(found)
        if event is None:
            return Location(self.file, 1, 1)
        if offset is not None and hasattr(event, "value"):
            return self._inside(event, self._written(found, offset))
        return self._at(event)

    def _at(self, event: Any) -> Location:
        return Location(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _inside(self, event: Any, offset: int) -> Location:
        start = event.start_mark
        found = source_offsets(self.text, event)
        index = found[max(0, min(offset, len(found) - 1))]
        breaks = list(_BREAK.finditer(self.text, start.index, index))
        if not breaks:
            return Location(self.file, start.line + 1, start.column + 1 + index - start.index)
        return Location(self.file, start.line + 1 + len(breaks), index - breaks[-1].end() + 1)

    def _written(self, path: Path, offset: int) -> int:
        """The offset in the text as it was written, of one in the text with its references replaced."""
        shift = 0
        for span in self.replaced.get(path, ()):
            if offset < span.start:
                break
            if offset < span.end:
                return span.written_start
            shift = span.written_end - span.end
        return offset + shift


@record
class CallPlaces:
    """The places of a definition that was made by calls: for the first parts of a path, the line of the call."""

    calls: Mapping[Path, Location]

    def of(self, path: Path, on_key: bool = False, offset: int | None = None) -> Location | None:  # noqa: ARG002 - a call is one place
        return next((self.calls[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.calls), None)


def locate(problems: Iterable[Problem], places: Whereabouts) -> list[Problem]:
    """The same problems with their places; those that have one keep it."""
    return [p if p.location else replace(p, location=places.of(p.path, p.on_key, p.offset)) for p in problems]
