"""What the engine will run, for people to read: each stage as one statement. The tables have names here that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.engine import Statement
from headrace.business.inside import DatabaseScan
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.validation.compiled import raw
from headrace.infrastructure.engines.postgres.checked import Checked
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.relations import with_clause
from headrace.infrastructure.engines.postgres.session import numbered

_identifier = DIALECT.identifier


def statements(plan: Plan, identity: str) -> Sequence[Statement]:
    found: list[Statement] = []
    for source in plan.sources:
        found += _of_source(source, identity)
    tables = {s.name: _identifier(s.name) for s in plan.sources}
    for name in plan.staged:
        text = with_clause([(s.name, s.relation) for s in plan.steps], name, tables)
        found.append(Statement(f"stage {name}", f"CREATE UNLOGGED TABLE {_identifier(f'staged {name}')} AS\n{text}"))
        tables[name] = _identifier(f"staged {name}")
    return found


def _of_source(source: PlannedSource, identity: str) -> Sequence[Statement]:
    at_home = isinstance(source.scan, DatabaseScan) and source.scan.database == identity
    checked = Checked(source, _identifier(f"checked {source.name}"), keeps_cells=at_home and not source.contract.late)
    if at_home:
        return [Statement(f"read and judge {source.name} where it is", checked.create(numbered(source)))]
    arrived = _identifier(f"arrived {source.name}")
    columns = "".join(f", {_identifier(raw(name))}" for name in source.scan.schema.names if name in source.columns_read)
    loading = f'COPY {arrived} ("#rowid", "_file"{columns}) FROM STDIN (FORMAT csv, FREEZE)'
    return [Statement(f"load {source.name}", loading), Statement(f"judge {source.name}", checked.create(arrived))]
