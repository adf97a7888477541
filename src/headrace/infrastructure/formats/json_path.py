"""Paths into JSON: the singular queries of JSONPath (RFC 9535, section 2.3.5.1), names and indexes that lead to one value at most.

    $.data.items    data.items    result[0].rows    ['@odata.nextLink']

The leading `$` may be left out. No wildcards, filters or slices: a path that may lead to many values has no place in options.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

from headrace.business.model.wording import Misworded

Parts: TypeAlias = tuple[str | int, ...]

_PART = re.compile(
    r"""\.(?P<name>[^.\[\]'"\s$@]+)|\[(?P<index>0|[1-9][0-9]{0,8})\]|\['(?P<single>(?:[^'\\]|\\['\\])*)'\]|\["(?P<double>(?:[^"\\]|\\["\\])*)"\]"""
)
#: What `get` gives when a path leads to nothing, which is not the same as null.
MISSING = object()


def parts_of(path: str) -> Parts:
    """The names and indexes of a path, from the top; none for `$`. Raises `Misworded`."""
    rest = path.removeprefix("$")
    if rest == path and not path.startswith("["):
        rest = f".{path}"
    found: list[str | int] = []
    at = 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            raise Misworded(
                f"`{path}` is not a path into JSON",
                "write names and indexes: `data.items`, `result[0].rows`; odd names in brackets: `['@odata.nextLink']`",
            )
        quoted = part["single"] if part["single"] is not None else part["double"]
        if part["index"] is not None:
            found.append(int(part["index"]))
        else:
            found.append(part["name"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = part.end()
    return tuple(found)


def _checked(path: str) -> str:
    parts_of(path)
    return path


#: An option that is a path.
JsonPath = Annotated[str, AfterValidator(_checked)]


def get(document: Any, parts: Sequence[str | int]) -> Any:
    """The value that the parts lead to, or `MISSING`."""
    for part in parts:
        inside = isinstance(document, dict) and part in document
        if isinstance(part, int):
            inside = isinstance(document, list) and part < len(document)
        if not inside:
            return MISSING
        document = document[part]
    return document


def pointer(key: str) -> str:
    """A JSON pointer (RFC 6901) to a member."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def put(document: Any, parts: Sequence[str | int], value: Any) -> Any:
    """A copy of the document with the value where the parts lead; objects on the way are made when they are missing.

    Raises `ValueError` where something else stands in the way.
    """
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if isinstance(part, str) and (document is None or isinstance(document, dict)):
        inside = document or {}
        return {**inside, part: put(inside.get(part), rest, value)}
    if isinstance(part, int) and isinstance(document, list) and part < len(document):
        return [put(item, rest, value) if i == part else item for i, item in enumerate(document)]
    raise ValueError(f"`{part}` leads nowhere in the body")
