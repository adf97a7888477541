"""Contracts of ours as YAML for people: a column a line, with what is remarked behind it. Not the open standard (see `odcs`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from headrace.business.model.contract import Contract
from headrace.infrastructure.odcs.plain import PlainDumper, plain

_WIDEST = 120


_CHECKS = "These look at the dataset as a whole. They belong under `checks:` in the definition of a pipeline:"


def to_yaml(
    contract: Contract,
    remarks: Mapping[str, str] | None = None,
    about: str | None = None,
    checks: Iterable[Mapping[str, Any]] = (),
) -> str:
    """The contract as the text of a file. `remarks` go to columns by name, `about` stands at the head; both as comments.

    Checks are no part of a contract: they follow as a comment that says where to put them.
    """
    written = plain(contract)
    columns = written.pop("columns", {})
    lines = _comment(about, "") if about else []
    if contract.key is not None:
        written["key"] = _key(written["key"])
    lines += [f"{key}: {_flow(written.pop(key))}" for key in ("description", "key") if key in written]
    lines.append("columns:" if columns else "columns: {}")
    noted = remarks or {}
    width = max((len(_line(name, options)) for name, options in columns.items() if len(_line(name, options)) < 60), default=0)
    for name, options in columns.items():
        lines += _column(_line(name, options), noted.get(name, ""), width)
    lines += _block(written)
    items = [f"  - {_flow(dict(check))}" for check in checks]
    lines += _comment("\n".join([_CHECKS, *items]), "") if items else []
    return "\n".join(lines) + "\n"


def _key(written: Mapping[str, Any]) -> Any:
    """As short as a key can be written."""
    columns = written["columns"]
    return written if len(written) > 1 else columns[0] if len(columns) == 1 else columns


def _column(line: str, remark: str, width: int) -> list[str]:
    """A column's line, its remark behind it where there is room, above it otherwise."""
    if not remark:
        return [line]
    beside = f"{line.ljust(width)}  # {_one_line(remark)}"
    return [beside] if len(beside) <= _WIDEST else [*_comment(remark, "  "), line]


def _line(name: str, options: Any) -> str:
    return f"  {_flow(name)}: {_flow(options)}"


def _flow(value: Any) -> str:
    text = yaml.dump(value, Dumper=PlainDumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def _block(value: Mapping[str, Any]) -> list[str]:
    if not value:
        return []
    text = yaml.dump(dict(value), Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=_WIDEST)
    return text.rstrip("\n").split("\n")


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {_one_line(line)}" for line in text.split("\n")]


def _one_line(text: str) -> str:
    """Without anything that could end a comment."""
    return "".join(char if char.isprintable() else " " for char in text)
