"""The names of datasets, checks and sinks: given or by default, each once, and none referred to that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from headrace.business.model.contract import Contract
from headrace.business.model.schema import did_you_mean
from headrace.business.model.windows import LATE, LATE_LEFT, LATE_RIGHT
from headrace.errors import Path, Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
#: By this name a step knows the dataset that it stands behind.
_RESERVED = "input"


def completed(given: Sequence[str | None], kinds: Sequence[str], taken: Iterable[str]) -> list[str]:
    """A name for each part: the given one, else its kind, numbered from the second on: `filter`, `filter_2`."""
    used = {name.lower() for name in (*taken, *(n for n in given if n))}
    names = []
    for name, kind in zip(given, kinds, strict=True):
        chosen, number = name or kind, 1
        while name is None and chosen.lower() in used:
            number += 1
            chosen = f"{kind}_{number}"
        used.add(chosen.lower())
        names.append(chosen)
    return names


def name_problem(name: str, path: Path, taken: dict[str, Path], *, on_key: bool = False) -> Problem | None:
    """What is wrong with a given name; `taken` holds those before it, in lower case."""
    if not _NAME.fullmatch(name):
        return Problem(
            f"`{name}` is not a name", path, "use letters, digits, `_` and `-`, beginning with a letter", on_key=on_key
        )
    if name.lower() == _RESERVED:
        return Problem(
            f"`{name}` cannot be a name: it stands for what comes into a step", path, "choose another", on_key=on_key
        )
    if name.lower() in taken:
        first = ".".join(map(str, taken[name.lower()]))
        return Problem(
            f"the name `{name}` is used twice",
            path,
            f"the first is {first}; names that differ in case alone count as equal",
            on_key=on_key,
        )
    taken[name.lower()] = path
    return None


def is_known(name: str, datasets: Sequence[str]) -> bool:
    """Whether a dataset of that name may be there. Which steps have late rows is known when they are planned."""
    return name in datasets or any(name.removesuffix(late) in datasets for late in (LATE, LATE_LEFT, LATE_RIGHT))


def unknown_dataset(name: str, path: Path, before: Sequence[str], later: Sequence[str] = ()) -> Problem:
    """The problem of a reference to a dataset that is not there."""
    if name in later:
        return Problem(f"`{name}` comes later", path, "a step sees only the sources and the steps before it")
    return Problem(f"there is no dataset `{name}`", path, did_you_mean(name, before))


def foreign_references(contract: Contract, path: Path, sources: Sequence[str]) -> Iterator[Problem]:
    """The references of a contract's rules that name no source, or no column."""
    for name, column in contract.columns.items():
        if column.references is not None:
            yield from _reference(column.references.is_, (*path, "columns", name, "references"), sources)
    for name, rule in contract.rules.items():
        for written in (rule.references,) if isinstance(rule.references, str) else rule.references or ():
            yield from _reference(written, (*path, "rules", name, "references"), sources)


def _reference(written: str, path: Path, sources: Sequence[str]) -> Iterator[Problem]:
    dataset, dot, column = written.rpartition(".")
    if not dot or not column:
        yield Problem(f"`{written}` names no column", path, "write `dataset.column`")
    elif dataset not in sources:
        yield unknown_dataset(dataset, path, sources)
