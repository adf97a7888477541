"""Pydantic's errors, freed of Pydantic: one issue per mistake, at the place where it was written. Not yet in words (see `telling`).

Pydantic's locations name fields that a shorthand filled in and branches of unions. Neither stands in the document, so its
locations are walked along with what was written; where several branches of a union fail, one issue is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from headrace.errors import Path
from headrace.records import record

_EXPECTED = (
    ("int_", "a whole number"), ("float_", "a number"), ("decimal_", "a number"), ("finite_number", "a finite number"),
    ("string_type", "text"), ("string_sub", "text"), ("string_unicode", "text"), ("bool", "true or false"),
    ("tuple_type", "a list"), ("list_type", "a list"), ("set_type", "a list"), ("frozen_set_type", "a list"), ("iterable_type", "a list"),
    ("dict_type", "a mapping (`key: value`)"), ("mapping_type", "a mapping (`key: value`)"), ("model_type", "a mapping (`key: value`)"),
    ("model_attributes_type", "a mapping (`key: value`)"), ("dataclass_type", "a mapping (`key: value`)"),
    ("datetime", "a point in time such as `2013-01-31 12:00:00`"), ("date", "a date such as `2013-01-31`"),
    ("timezone", "a point in time with its zone"), ("time_delta", "a duration such as `90 seconds`"), ("time", "a time such as `12:30:00`"),
    ("none_required", "nothing"), ("callable_type", "a function"), ("bytes", "text"),
)  # fmt: skip
_BOUNDS = {
    "greater_than": ("gt", "greater than {}"), "greater_than_equal": ("ge", "at least {}"), "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"), "multiple_of": ("multiple_of", "a multiple of {}"),
    "string_pattern_mismatch": ("pattern", "text of the form `{}`"), "string_too_short": ("min_length", "text of at least {} characters"),
    "string_too_long": ("max_length", "text of at most {} characters"), "too_short": ("min_length", "a list of at least {} items"),
    "too_long": ("max_length", "a list of at most {} items"),
}  # fmt: skip


@record
class Issue:
    """One mistake. `path` leads to it through what was written, `loc` through the model."""

    kind: Literal["missing", "unknown", "expected", "refused"]
    path: Path
    loc: tuple[str | int, ...] = ()
    name: str = ""
    """The key that is missing or unknown."""
    expected: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    message: str = ""
    hint: str | None = None
    on_key: bool = False


@dataclass(slots=True)
class _Branch:
    """Errors by their location, as a tree."""

    ends: list[Mapping[str, Any]] = field(default_factory=list)
    below: dict[str | int, _Branch] = field(default_factory=dict)


def issues(errors: Sequence[Mapping[str, Any]], written: Any) -> list[Issue]:
    """The mistakes behind the errors that Pydantic found in what was written."""
    root = _Branch()
    for error in errors:
        branch = root
        for part in error["loc"][:-1] if error["type"] == "missing" else error["loc"]:
            branch = branch.below.setdefault(part, _Branch())
        branch.ends.append(error)
    return _issues(root, written, ())


def _issues(branch: _Branch, written: Any, path: Path) -> list[Issue]:
    found = [_issue(error, path) for error in branch.ends]
    alternatives = []
    for part, below in branch.below.items():
        if _holds(written, part):
            found += _issues(below, written[part], (*path, part))
        else:
            alternatives.append(_issues(below, written, path))
    return found + (_chosen(alternatives, path) if alternatives else [])


def _holds(written: Any, part: str | int) -> bool:
    if isinstance(written, Mapping):
        return part in written
    return isinstance(written, list | tuple) and isinstance(part, int) and part < len(written)


def _chosen(alternatives: list[list[Issue]], path: Path) -> list[Issue]:
    """Of the branches of a union, the one that the author was about to write; when none stands out, one issue of all."""
    begun = [a for a in alternatives if any(i.path != path or i.kind in ("missing", "unknown") for i in a)]
    if begun:
        return min(begun, key=len)
    flat = [issue for alternative in alternatives for issue in alternative]
    refused = [issue for issue in flat if issue.kind == "refused"]
    if refused or len(flat) == 1:
        return (refused or flat)[:1]
    expected = tuple(dict.fromkeys(e for issue in flat for e in issue.expected))
    words = tuple(dict.fromkeys(w for issue in flat for w in issue.words))
    return [Issue("expected", path, flat[0].loc, expected=_without_narrower(expected), words=words, on_key=flat[0].on_key)]


def _without_narrower(expected: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(e for e in expected if not (e == "a whole number" and "a number" in expected))


def _issue(error: Mapping[str, Any], path: Path) -> Issue:
    kind, loc, about = error["type"], tuple(error["loc"]), error.get("ctx", {})
    on_key = "[key]" in loc
    if kind == "missing":
        return Issue("missing", path, loc, name=str(loc[-1]))
    if kind == "extra_forbidden":
        return Issue("unknown", path[:-1], loc[:-1], name=str(loc[-1]), on_key=True)
    if kind in ("literal_error", "enum"):
        return Issue(
            "expected",
            path,
            loc,
            words=tuple(re.findall(r"'([^']*)'", about["expected"])) or (about["expected"],),
            on_key=on_key,
        )
    if kind in ("value_error", "assertion_error"):
        return Issue(
            "refused", path, loc, message=str(about["error"]), hint=getattr(about["error"], "hint", None), on_key=on_key
        )
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return Issue("expected", path, loc, expected=(words.format(about[name]),), on_key=on_key)
    if kind == "is_instance_of":
        words = {"Secret": "text", "Profile": "the name of a connection"}.get(about["class"], f"a {about['class']}")
        return Issue("expected", path, loc, expected=(words,), on_key=on_key)
    for prefix, words in _EXPECTED:
        if kind.startswith(prefix):
            return Issue("expected", path, loc, expected=(words,), on_key=on_key)
    return Issue("refused", path, loc, message=error["msg"].replace("Input", "this").replace("valid ", ""), on_key=on_key)
