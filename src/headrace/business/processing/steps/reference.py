"""The reference page of the steps, written from what the steps say of themselves: their docstrings and options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from pydantic.fields import FieldInfo

from headrace.business.model.plugin import Plugin

_HEAD = """# Steps

What can happen to rows between a source and a sink. A step's input is the dataset of the step before it, or the one that
`from:` names; its result is a dataset too. This page is made from the steps themselves.
"""


def steps_page(steps: Iterable[type[Plugin]]) -> str:
    """The page, in Markdown. Steps stand in alphabetical order."""
    ordered = sorted(steps, key=lambda step: step.kind)
    contents = ", ".join(f"[{step.kind}](#{step.kind})" for step in ordered)
    return "\n".join([_HEAD, f"{contents}\n", *map(_step, ordered)])


def examples(step: type[Plugin]) -> list[str]:
    """The YAML in a step's docstring."""
    return re.findall(r"```yaml\n(.*?)```", inspect.getdoc(step) or "", re.DOTALL)


def _step(step: type[Plugin]) -> str:
    rows = ["| option | default | |", "|---|---|---|"]
    rows += [_option(name, field) for name, field in step.model_fields.items()]
    bare = f"\nA bare value stands for `{step.shorthand}`.\n" if step.shorthand else ""
    return f"## {step.kind}\n\n{inspect.getdoc(step)}\n{bare}\n" + "\n".join(rows) + "\n"


def _option(name: str, field: FieldInfo) -> str:
    return f"| `{field.alias or name}` | {_default(field)} | {field.description or ''} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ("", (), {}):
        return ""
    return f"`{str(value).lower()}`"


if __name__ == "__main__":
    import sys
    from importlib.metadata import entry_points

    sys.stdout.write(steps_page(entry.load() for entry in entry_points(group="headrace.steps")))
