"""Issues in words: what is wrong, what is allowed, what was probably meant. Values are shown as they were written, secrets never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from headrace.business.model.schema import suggest
from headrace.errors import Path, Problem
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loading.issues import Issue
from headrace.infrastructure.loading.levels import hint_for
from headrace.infrastructure.loading.shapes import keys_at

_LONGEST_SHOWN = 40


def tell(found: Sequence[Issue], written: Any, base: Path, model: type[BaseModel], catalog: Catalog) -> list[Problem]:
    """The problems, for issues with what was written at the path `base` of a definition."""
    missing = {(i.path, i.name) for i in found if i.kind == "missing"}
    allowed = {i: keys_at(model, i.loc) for i in found if i.kind == "unknown"}
    # A misspelt key is one mistake, though one key is missing and another too many.
    meant = {(i.path, suggest(i.name, [name for path, name in missing if path == i.path]) or "") for i in allowed}
    problems = []
    for issue in found:
        path = (*base, *issue.path)
        if issue.kind == "unknown":
            hint = hint_for(issue.name, path, allowed[issue], catalog)
            problems.append(Problem(f"unknown key `{issue.name}`", (*path, issue.name), hint, on_key=True))
        elif issue.kind == "missing" and (issue.path, issue.name) not in meant:
            problems.append(Problem(f"`{issue.name}` is missing here", path, f"add `{issue.name}: ...`", on_key=True))
        elif issue.kind in ("expected", "refused"):
            problems.append(_about_value(issue, _at(written, issue.path), path))
    return problems


def _about_value(issue: Issue, value: Any, path: Path) -> Problem:
    name = _name(path)
    if issue.on_key:
        return Problem(f"{name} is not allowed as a name here: {_expectation(issue)}", path, issue.hint, on_key=True)
    if isinstance(value, str) and "${secret:" in value:
        return Problem(f"a secret cannot stand in {name}", path, "it would be shown in plans and reports")
    if issue.kind == "refused":
        return Problem(issue.message, path, issue.hint)
    hint = None
    if issue.words and isinstance(value, str) and (near := suggest(value, issue.words)):
        hint = f"did you mean `{near}`?"
    return Problem(f"{name} must be {_expectation(issue)}, not {shown(value)}", path, hint)


def _expectation(issue: Issue) -> str:
    expected = list(issue.expected)
    if len(expected) > 4:
        return "a single value"
    if issue.words:
        words = [f"`{w}`" for w in issue.words]
        expected.append(words[0] if len(words) == 1 else "one of " + ", ".join(words))
    return " or ".join(expected) or issue.message


def _name(path: Path) -> str:
    last = path[-1] if path else "the definition"
    if isinstance(last, int):
        above = next((p for p in reversed(path) if isinstance(p, str)), "the list")
        return f"item {last + 1} of `{above}`"
    return f"`{last}`"


def shown(value: Any) -> str:
    """A value for a message."""
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return str(value).lower()
        case str() if len(value) > _LONGEST_SHOWN:
            return "this text"
        case str() | int() | float():
            return f"`{value}`" if value != "" else "an empty text"
    return f"a {type(value).__name__}"


def _at(written: Any, path: Path) -> Any:
    for part in path:
        written = written[part]
    return written
