"""What a check compares its dataset with: another dataset, or the target of a sink; and what a target will hold after a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.business.model.schema import did_you_mean
from headrace.business.ports import Comparing, Readable
from headrace.business.processing.plan import PlannedTarget
from headrace.errors import DefinitionError, Problem


def compared_with(
    check: Comparing, sinks: Mapping[str, tuple[Any, str | None]], datasets: Iterable[str]
) -> tuple[str, PlannedTarget | None]:
    """The dataset that is meant; with a target, the one that is published there. Raises `DefinitionError` when none is meant."""
    name, when, known = check.other, check.of_target, set(datasets)
    if name in known and name in sinks:
        raise _problem(f"`{name}` is a dataset and a sink", "give one of them another name, so that it is clear which is meant")
    if name in sinks:
        publisher, dataset = sinks[name]
        if dataset is None:
            raise _problem(f"the sink `{name}` does not say which dataset it publishes", "say it there with `from:`")
        target = PlannedTarget(name, when or "after")
        if needs_reading(publisher, target) and not isinstance(publisher, Readable):
            raise _problem(f"the target of `{name}` cannot be read", "compare with the dataset that it publishes")
        return dataset, target
    if name not in known:
        raise _problem(f"there is no dataset or sink `{name}`", did_you_mean(name, sorted({*known, *sinks})))
    if when is not None:
        raise _problem(f"`{name}` is a dataset, which has no {when}", "leave `when` out, or name a sink")
    return name, None


def needs_reading(publisher: Any, target: PlannedTarget) -> bool:
    """Whether what the target will hold depends on what it holds. What is replaced as a whole, or closed, does not count any more."""
    mode = getattr(publisher, "mode", "replace")
    replaced = mode == "replace" or (mode == "scd2" and publisher.deleted == "close")
    return target.when == "before" or not replaced


def _problem(message: str, hint: str) -> DefinitionError:
    return DefinitionError([Problem(message, ("against",), hint)])
