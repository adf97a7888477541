"""What reading a document of the standard has found so far: rules, checks, notes, and everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from headrace.business.model.schema import did_you_mean
from headrace.errors import Path, Problem, UsageError
from headrace.infrastructure.catalog import Catalog


@dataclass(slots=True)
class Findings:
    """Collected while the parts of one document are read."""

    dataset: str = ""
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, message: str, path: Path, hint: str | None = None, *, on_key: bool = False) -> None:
        self.problems.append(Problem(message, path, hint, on_key=on_key))

    def note(self, text: str) -> None:
        """Something that describes the data and asks for nothing to be checked."""
        self.notes.append(text)

    def rule(self, name: str, body: dict[str, Any]) -> None:
        self.rules[free_name(name, self.rules)] = body

    def check(self, kind: str, options: dict[str, Any], name: str | None, path: Path) -> None:
        """A check on the whole dataset, as it would stand under `checks:` in a definition."""
        if (wrong := _unfit(kind, options)) is not None:
            self.refuse(wrong, path)
            return
        self.checks.append(({"name": name} if name else {}) | {kind: options})

    def mapping(self, value: Any, path: Path, allowed: Iterable[str] | None = None) -> Mapping[str, Any]:
        """The mapping that must stand here, with no keys but those allowed; an empty one stands in for anything else."""
        if not isinstance(value, Mapping):
            self.refuse(f"this must be a mapping, and it is {_sort(value)}", path)
            return {}
        words = None if allowed is None else list(allowed)
        for key in value if words is not None else ():
            if key not in (words or ()):
                self.refuse(f"unknown key `{key}`", (*path, key), did_you_mean(str(key), words or ()), on_key=True)
        return value

    def items(self, value: Any, path: Path) -> list[tuple[Path, Any]]:
        """The items of the list that must stand here, each with its path."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(f"this must be a list, and it is {_sort(value)}", path)
            return []
        return [((*path, i), item) for i, item in enumerate(value)]

    def text(self, value: Any, path: Path) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self.refuse(f"this must be text, and it is {_sort(value)}", path)
        return None

    def truth(self, value: Any, path: Path) -> bool:
        if value is None or isinstance(value, bool):
            return bool(value)
        self.refuse(f"this must be true or false, and it is {_sort(value)}", path)
        return False

    def word(self, value: Any, path: Path, allowed: Iterable[str]) -> str | None:
        """One of a few words."""
        words = list(allowed)
        if value in words:
            return str(value)
        self.refuse(f"`{value}` is not known here", path, did_you_mean(str(value), words))
        return None


def _unfit(kind: str, options: dict[str, Any]) -> str | None:
    """Why there can be no such check."""
    try:
        Catalog().check(kind).model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        return f"`{kind}`: {'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}"
    except UsageError as error:
        return str(error)
    return None


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name, or with a number behind it if it is taken."""
    names = set(taken)
    numbered = (f"{name}_{i}" for i in range(2, len(names) + 3))
    return name if name not in names else next(n for n in numbered if n not in names)


def quoted(name: str) -> str:
    """A column's name, as expressions write it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value, as expressions write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _sort(value: Any) -> str:
    words = {"Mapping": "a mapping", "list": "a list", "str": "text", "bool": "true or false", "NoneType": "nothing"}
    if isinstance(value, Mapping):
        return "a mapping"
    return words.get(type(value).__name__, "a number")
