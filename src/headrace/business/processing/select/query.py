"""Any query, wherever it stands: the whole text, a subquery, a part of a set operation. Not the clauses of a select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Relation
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.from_clause import renamed
from headrace.business.processing.select.grammar import refuse, understood
from headrace.business.processing.select.ordering import MODIFIERS, bind_order
from headrace.business.processing.select.projection import Item
from headrace.business.processing.select.result import Result
from headrace.business.processing.select.scope import Answer, QueryScope, Setting
from headrace.business.processing.select.selection import Selection
from headrace.business.processing.select.set_operations import KINDS, bind_set_operation
from headrace.business.processing.select.source import table_source
from headrace.business.processing.select.written_rows import bind_values

if TYPE_CHECKING:
    from sqlglot import exp


def bind_query(node: exp.Expression, setting: Setting, *, named: bool) -> Answer:
    """The rows of a query. With `named`, each of its columns must have a name, and one of its own."""
    if node.key == "alias":
        refuse(setting.text, node.args["alias"], f"`{node.alias}` was not expected here", hint="a whole query has no name")
    if node.key not in (*KINDS, "select", "subquery", "values"):
        hint = "a query is a SELECT, or several with UNION between them"
        refuse(setting.text, node, f"`{node.key.upper()}` is not a query", node.key, hint)
    setting = _with_ctes(node, setting)
    if node.key == "select":
        return Selection(node, setting).bind(named=named)
    if node.key in KINDS:
        return _ordered(bind_set_operation(node, setting, named=named), node, setting)
    if node.key == "subquery":
        understood(setting.text, node, "this", "alias", "with_", "joins", *MODIFIERS)
        return _ordered(bind_query(node.this, setting, named=named), node, setting)
    return _ordered(bind_values(node, setting), node, setting)


def _with_ctes(node: exp.Expression, setting: Setting) -> Setting:
    """The setting with the queries of its `WITH` as datasets. Each sees those before it."""
    clause = node.args.get("with_")
    if clause is None:
        return setting
    understood(setting.text, clause, "expressions")
    datasets, written = dict(setting.datasets), set()
    for cte in clause.expressions:
        understood(setting.text, cte, "this", "alias")
        alias = cte.args["alias"]
        if alias.name.lower() in written:
            raise ExpressionError(f"two queries of this `WITH` are called `{alias.name}`", start_of(alias))
        written.add(alias.name.lower())
        answer = _cte(cte, alias, replace(setting, datasets=dict(datasets)))
        for known in [name for name in datasets if name.lower() == alias.name.lower()]:
            del datasets[known]
        datasets[alias.name] = answer
    return replace(setting, datasets=datasets)


def _cte(cte: exp.Expression, alias: exp.Expression, setting: Setting) -> Answer:
    answer = bind_query(cte.this, setting, named=not alias.args.get("columns"))
    return Answer(answer.relation, tuple(renamed(alias, answer.names, setting.text)))


def _ordered(answer: Answer, node: exp.Expression, setting: Setting) -> Answer:
    """Order and limit that stand behind a query in brackets or a set operation: they see its result and nothing else."""
    if not any(node.args.get(part) for part in MODIFIERS):
        return answer
    names, result = setting.names(), setting.names_of_result()
    scope = QueryScope(table_source(answer.relation, None, answer.names, names), names, setting)
    items = [Item(column.name, scope.source.reference(column.unique), node) for column in scope.source.star()]
    order = bind_order(node.args.get("order"), items, Clause(scope))
    columns = [(result.fresh(name), item.expression) for name, item in zip(answer.names, items, strict=True)]
    return Answer(Result(node, scope, columns, order).over(scope.source.relation, distinct=False), answer.names)


def setting_of(text: str, datasets: Mapping[str, Relation]) -> Setting:
    """Where the query of a whole text stands."""
    return Setting(text, {name: Answer(relation, relation.schema.names) for name, relation in datasets.items()}, bind_query)
