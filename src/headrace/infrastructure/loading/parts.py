"""The parts of a definition: items of `sources`, `steps`, `checks` and `sinks`, each with one plugin by its name. Not their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import suggest
from headrace.errors import HeadraceError, Path, Problem
from headrace.infrastructure.loading.levels import BESIDE, PART, hint_for
from headrace.infrastructure.loading.options import Options
from headrace.infrastructure.loading.shapes import keys_of
from headrace.records import record


@record
class Part:
    """An item: its plugin, if there is nothing wrong with it, and what stands beside it."""

    kind: str
    plugin: Plugin | None
    beside: Mapping[str, Any]
    path: Path


def read_part(group: str, written: Any, path: Path, options: Options) -> Part:
    """Read one item. What is wrong with it goes to the problems of `options`."""
    part, catalog = PART[group], options.catalog
    if not isinstance(written, Mapping) or not written:
        what = "must be a mapping with the name of its plugin" if written is not None else "is empty"
        hint = _example(written, group, options)
        options.problems.append(Problem(f"this {part} {what}", path, hint, on_key=group == "sources"))
        return Part(part, None, {}, path)
    beside = {key: value for key, value in written.items() if key in BESIDE[group]}
    others = [key for key in written if key not in beside]
    # What a misspelt `name` names exists all the same, so that nobody is blamed for referring to it.
    meant = next((written[k] for k in others if suggest(k, BESIDE[group]) == "name" and not catalog.has(group, k)), None)
    known = [key for key in others if catalog.has(group, key)]
    if not known:
        if others:
            _unknown_plugin(group, others, path, options)
        else:
            hint = _example(written, group, options)
            options.problems.append(Problem(f"this {part} names no plugin", path, hint, on_key=True))
        return Part(others[0] if others else part, None, beside, path)
    # An option beside its plugin, one level too shallow, may be the name of a plugin too: `- row_count:` above `min: 1`.
    kind = known[0]
    shallow = set(known[1:]) & set(keys_of(catalog.find(group, kind))) if written[kind] is None else set()
    for second in known[1:]:
        if second not in shallow:
            hint = f"begin a new item: `- {second}: ...`" if group != "sources" else "give it a source of its own"
            options.problems.append(
                Problem(f"two plugins in one {part}: `{kind}` and `{second}`", (*path, second), hint, on_key=True)
            )
    outside = _strays(group, kind, [key for key in others if key not in known or key in shallow], path, options)
    plugin = None if outside else _plugin(group, kind, written[kind], (*path, kind), options)
    return Part(kind, plugin, {**({} if meant is None else {"name": meant}), **beside}, path)


def _plugin(group: str, kind: str, written: Any, path: Path, options: Options) -> Plugin | None:
    try:
        return options.plugin(group, kind, written, path)
    except HeadraceError as error:
        options.problems.append(Problem(error.message, path, error.hint, on_key=True))
        return None


def _strays(group: str, kind: str, keys: list[str], path: Path, options: Options) -> bool:
    """Report the keys beside a plugin's name that do not belong there; whether any was meant for its options."""
    if not keys:
        return False
    inside = keys_of(options.catalog.find(group, kind))
    for key in keys:
        if key in inside:
            hint = f"`{key}` belongs inside `{kind}:`, one level deeper"
        else:
            hint = hint_for(key, path, (*BESIDE[group], *inside), options.catalog)
        options.problems.append(Problem(f"unknown key `{key}`", (*path, key), hint, on_key=True))
    return any(key in inside for key in keys)


def _unknown_plugin(group: str, keys: list[str], path: Path, options: Options) -> None:
    """Of several unknown keys, the one that is most like the name of a plugin is taken for it."""
    part, catalog = PART[group], options.catalog
    names = catalog.names(group)
    likely = next((key for key in keys if suggest(key, names) or catalog.group_of(key)), keys[0])
    for key in keys:
        if key == likely:
            hint = hint_for(key, path, (*names, *BESIDE[group]), catalog)
            options.problems.append(Problem(f"there is no {part} `{key}`", (*path, key), hint, on_key=True))
        elif suggest(likely, names) is None:
            options.problems.append(
                Problem(f"unknown key `{key}`", (*path, key), hint_for(key, path, names, catalog), on_key=True)
            )


def _example(written: Any, group: str, options: Options) -> str:
    """What to write instead, with a plugin that there is."""
    if isinstance(written, str) and options.catalog.has(group, written):
        kind = written
    else:
        preferred = {"sources": "file", "steps": "filter", "checks": "row_count", "sinks": "file"}[group]
        names = options.catalog.names(group)
        kind = preferred if preferred in names or not names else names[0]
    return f"write `{'' if group == 'sources' else '- '}{kind}: {{...}}`"
