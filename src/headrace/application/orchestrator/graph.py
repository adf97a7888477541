"""A plan's graph in plain data, as it is stored with a run and drawn for people. No rows, no engine."""

from __future__ import annotations

from typing import Any

from headrace.business.processing.plan import Plan


def describe(plan: Plan) -> list[dict[str, Any]]:
    """The nodes in order of flow: name, part, kind, and where their rows come from."""
    nodes: list[dict[str, Any]] = [
        {
            "name": s.name,
            "part": "source",
            "kind": s.kind,
            "inputs": [],
            "refers": sorted({r.dataset for r in s.contract.references}),
        }
        for s in plan.sources
    ]
    nodes += [{"name": s.name, "part": "step", "kind": s.kind, "inputs": list(s.relation.datasets())} for s in plan.steps]
    nodes += [
        {"name": s.name, "part": "sink", "kind": s.kind, "inputs": [s.dataset], "mode": getattr(s.publisher, "mode", "replace")}
        for s in plan.sinks
    ]
    return nodes
