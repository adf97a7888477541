"""What the engine will run, for people to read: each stage as one statement. The tables have names here that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.engine import Statement
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.infrastructure.engines.snowflake.checked import Checked
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.intake import raw_schema
from headrace.infrastructure.engines.snowflake.relations import with_clause
from headrace.infrastructure.engines.snowflake.session import is_at_home, numbered
from headrace.infrastructure.snowflake.loading import copy_sql, loaded

_identifier = DIALECT.identifier


def statements(plan: Plan, identity: str) -> Sequence[Statement]:
    found: list[Statement] = []
    for source in plan.sources:
        found += _of_source(source, identity)
    tables = {s.name: _identifier(s.name) for s in plan.sources}
    for name in plan.staged:
        text = with_clause([(s.name, s.relation) for s in plan.steps], name, tables)
        found.append(Statement(f"stage {name}", _made(f"staged {name}", text)))
        tables[name] = _identifier(f"staged {name}")
    return found


def _of_source(source: PlannedSource, identity: str) -> Sequence[Statement]:
    at_home = is_at_home(source, identity)
    name = f"checked {source.name}"
    checked = Checked(source, _identifier(name), keeps_cells=at_home and not source.contract.late)
    if at_home:
        return [Statement(f"read and judge {source.name} where it is", _made(name, checked.query(numbered(source))))]
    arrived, stage = _identifier(f"arrived {source.name}"), '@"stage"/part'
    loading = f"PUT 'file://*.parquet' {stage} AUTO_COMPRESS = FALSE;\n{copy_sql(arrived, stage)}"
    relation = loaded(arrived, raw_schema(source.scan.schema))
    return [Statement(f"load {source.name}", loading), Statement(f"judge {source.name}", _made(name, checked.query(relation)))]


def _made(name: str, query: str) -> str:
    return f"CREATE TRANSIENT TABLE {_identifier(name)} AS\n{query}"
