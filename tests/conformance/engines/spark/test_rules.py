"""Every rule of a contract gives on Spark the verdicts that it gives on DuckDB, and every check the same measures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engines import tables as of_duckdb
from tests.conformance.engines.adapters import DuckDB, shown
from tests.conformance.engines.adapters import readable as duckdb_readable
from tests.conformance.engines.spark.adapter import Spark, plain, readable, rows_of
from tests.conformance.engines.spark.comparing import few
from tests.conformance.engines.spark.tables import fill
from tests.conformance.engines.test_rules import COLUMNS, ROWS, RULES, TEXTS, _near, verdicts
from tests.integration.checks.test_checks_on_duckdb import CASES
from tests.integration.checks.test_checks_on_duckdb import SCHEMA as MEASURED

from headrace.business.model.contract import Contract
from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String
from headrace.business.validation.compiled import CompiledContract, raw, tidy
from headrace.business.validation.contracts import compile_contract

#: Columns of a type that Spark has not, or reads otherwise.
REFUSED = {"t", "l"}
Row = dict[str, str | None]


def contract() -> CompiledContract:
    columns = {name: column for name, column in COLUMNS.items() if name not in REFUSED}
    arriving = Schema.of(**dict.fromkeys(COLUMNS, String()))
    compiled, problems = compile_contract(Contract.model_validate({"columns": columns, "rules": RULES}), arriving, {}, {})
    assert problems == []
    return compiled


def of_spark(spark: Spark, compiled: CompiledContract, rows: list[Row]) -> list[list[str]]:
    name, print_ = spark.identifier, spark.expression
    schema = Schema.of(**{"#": Integer(32), **{raw(column): String() for column in COLUMNS}})
    given_rows = rows_of(
        schema, [{"#": i, **{raw(column): value for column, value in row.items()}} for i, row in enumerate(rows)]
    )
    tidied = ", ".join(f"{print_(c.tidied)} AS {name(tidy(c.column.name))}" for c in compiled.cells if c.tidied is not None)
    typed = ", ".join(f"{print_(c.value)} AS {name(c.column.name)}" for c in compiled.cells)
    cells = [readable(name(c.column.name), c.column.type) for c in compiled.cells]
    broken = [print_(rule.violated) for rule in compiled.rules]
    found = spark.fetch(
        f"SELECT {', '.join([*cells, *broken])} FROM (SELECT *, {typed} FROM (SELECT *, {tidied} FROM ({given_rows}))) ORDER BY `#`"
    )
    kinds = [c.column.type for c in compiled.cells]
    return [
        [shown(plain(v, kinds[i]), kinds[i]) if i < len(kinds) else str(v is True) for i, v in enumerate(row)] for row in found
    ]


@few(3)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, TEXTS)), min_size=12, max_size=25))
def test_rules_judge_alike(spark: Spark, duckdb: DuckDB, rows: list[Row]) -> None:
    compiled = contract()
    names = [*(f"cell {c.column.name}" for c in compiled.cells), *(rule.name for rule in compiled.rules)]
    for row, ones, twos in zip(rows, verdicts(duckdb, compiled, rows), of_spark(spark, compiled, rows), strict=True):
        assert [(name, one, two) for name, one, two in zip(names, ones, twos, strict=True) if one != two] == [], row


def test_checks_measure_alike(spark: Spark, duckdb: DuckDB) -> None:
    of_duckdb.fill(duckdb, {"measured": (MEASURED, ROWS)})
    measured = fill(spark, {"measured": (MEASURED, ROWS)}, "rules")["measured"]
    measures = [(check, e) for check, _ in CASES for e in check.measures(MEASURED).values() if not spark.problems(e)]
    assert len(measures) > len(CASES)
    (meant,) = duckdb.fetch(
        f"SELECT {', '.join(duckdb_readable(duckdb.expression(e), e.type, duckdb) for _, e in measures)} FROM measured"
    )
    (found,) = spark.fetch(f"SELECT {', '.join(readable(spark.expression(e), e.type) for _, e in measures)} FROM {measured}")
    for (check, e), one, two in zip(measures, meant, found, strict=True):
        shown_two = plain(two, e.type)
        if e.type == Float(64):
            assert (check, _near(shown_two)) == (check, _near(one))
        else:
            assert (check, shown(shown_two, e.type)) == (check, shown(one, e.type))
