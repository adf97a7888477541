"""Proposes a contract from data: reads a source once as it is, and measures what its columns hold. It changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from headrace.application.orchestrator.site import Site
from headrace.application.orchestrator.sources import look_at_sources
from headrace.business.engine import QuarantineTarget
from headrace.business.model.contract import ColumnContract, Contract
from headrace.business.model.definition import Definition, SourceDefinition
from headrace.business.model.plugin import Plugin
from headrace.business.ports import Scannable
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.validation.inference import Proposal, look, look_closer, propose
from headrace.errors import UsageError


def propose_contract(site: Site, source: Plugin) -> Proposal:
    """The contract that the data of a source suggest, in three passes of aggregates: a glance, the types, the values."""
    if not isinstance(source, Scannable):
        raise UsageError(f"a contract cannot be proposed for `{source.kind}`", hint="it has to be a source that can be scanned")
    scan = source.scan(site.project)
    definition = Definition(pipeline="proposal", sources={"data": SourceDefinition(plugin=source)})
    plan = build_plan(definition, {"data": Resolved(scan, {}, "data")})
    text = scan.text or bool(getattr(scan, "all_text", False))
    with tempfile.TemporaryDirectory(prefix="headrace-look-") as folder:
        return _measured(site, plan, Path(folder), text=text)


def with_types(site: Site, definition: Definition, dataset: str) -> Contract:
    """The contract of a source, with the types that its data have where it leaves them open. They stay open where there are no data."""
    source = definition.sources[dataset]
    contract = source.contract or Contract()
    alone = definition.model_copy(update={"sources": {dataset: source}})
    found = look_at_sources(alone, site.project, site.engine(definition.engine)).resolved
    if dataset not in found:
        return contract
    types = {c.name: c.type for c in found[dataset].scan.schema} | dict(found[dataset].inferred)

    def typed(name: str, column: ColumnContract) -> ColumnContract:
        kind = types.get(column.source or name)
        return column if column.type or kind is None else column.model_copy(update={"type": kind})

    return contract.model_copy(update={"columns": {name: typed(name, column) for name, column in contract.columns.items()}})


def _measured(site: Site, plan: Plan, folder: Path, *, text: bool) -> Proposal:
    schema = plan.schema("data")
    session = site.engine(plan.definition.engine).session(plan, folder / "runs" / "look", site.project)
    try:
        target = QuarantineTarget(folder / "held.parquet", "proposal", "look")
        session.ingest(plan.sources[0], target, after=None, progress=lambda _share: None)
        found = session.measure("data", look(schema, text=text))
        closer = session.measure("data", look_closer(schema, found, text=text))
    finally:
        session.close()
    return propose(schema, found, closer, text=text)
