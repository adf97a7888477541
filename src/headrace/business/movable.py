"""The port of publishers that can be tried without harm to their targets. Not who tries them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from headrace.business.ports import Publisher


@runtime_checkable
class Movable(Protocol):
    """A publisher whose target can be another one in the same system, where nobody looks, so that a run can be tried without harm."""

    def moved(self, place: str) -> Publisher:
        """The same, with its target in a place of that name, which is made when it is needed. The real target is not touched."""
        ...

    def clear(self, place: str) -> None:
        """Remove such a place with all that is in it; nothing when it is not there."""
        ...
