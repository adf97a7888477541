"""Short ways to read definitions in tests."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from tests.definitions.plugins import OnlyThese

from headrace.business.model.definition import Loaded
from headrace.errors import DefinitionError, Problem
from headrace.infrastructure.loader import load_text

CATALOG = OnlyThese()

HEAD = "pipeline: p\nsources: {a: {file: a.csv}}\n"


def read(text: str, **options: Any) -> Loaded:
    """The definition in a text, indented as it may be, with the plugins for tests."""
    return load_text(textwrap.dedent(text), "f.yaml", catalog=CATALOG, **{"env": {}, **options})


def problems(text: str, **options: Any) -> list[Problem]:
    """Everything that is wrong with it."""
    try:
        read(text, **options)
    except DefinitionError as error:
        return list(error.problems)
    return []


def told(text: str, **options: Any) -> list[str]:
    """What is said, each as `line:column: message`."""
    return [f"{p.location.line}:{p.location.column}: {p.message}" for p in problems(text, **options) if p.location]


def steps(
    *lines: str, params: str = "", given: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> Loaded:
    """A definition of these steps."""
    head = HEAD + (f"params: {params}\n" if params else "")
    return read(head + "steps:\n" + "".join(f"  - {line}\n" for line in lines), params=given, env=env or {})
