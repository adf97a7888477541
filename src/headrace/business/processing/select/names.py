"""Names for the columns inside of a query, so that no name is ever captured. Not the names that users see.

Every column that a `FROM` clause brings into a query gets a name that no other column there has, and none of the queries around
it: so an expression needs the bare name only, even from deep inside of a subquery. Engines ignore case in names; so do these.
"""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """The names taken in one query; those of the queries around it count as taken too."""

    def __init__(self, around: Names | None = None, taken: Iterable[str] = ()) -> None:
        self._around = around
        self._taken = {name.lower() for name in taken}

    def fresh(self, wanted: str, qualifier: str | None = None) -> str:
        """The wanted name if it is free, else `qualifier.wanted`, else that with a number; taken from now on."""
        name = wanted
        if name in self and qualifier:
            name = f"{qualifier}.{wanted}"
        stem, number = name, 2
        while name in self:
            name, number = f"{stem}.{number}", number + 1
        self._taken.add(name.lower())
        return name

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._taken or (self._around is not None and name in self._around)
