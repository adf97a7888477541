"""Whatever the rows: both engines judge them alike, and every row is accounted for."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.pushdown.both import by_both

NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=True).map(str),
    st.sampled_from(["1_0", " 7 ", "+3", "0x1", "1e3", ".5", "-"]),
)
DATES = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["2023-02-29", "2024-02-29", "0001-01-01", "9999-12-31", "today", "2024-1-1", "2024-06-31"]),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=6)
CELLS = st.one_of(st.just(""), NUMBERS, DATES, TEXTS, st.sampled_from(["true", "F", "yes", "1", "a", "b"]))
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS, CELLS), min_size=12, max_size=60)
COLUMNS: dict[str, Any] = {
    "i": {"type": "int32", "between": [-100, 100]}, "d": {"type": "decimal(12, 3)", "at_least": 0}, "f": {"type": "float64"}, "day": {"type": "date"},
    "at": {"type": "timestamp", "required": {"is": True, "on_violation": "warn"}}, "t": {"type": "string", "unique": True, "length": {"max": 4}, "trim": True},
}  # fmt: skip


@given(ROWS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_dirty_tables_are_judged_alike(postgres: str, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    with tempfile.TemporaryDirectory() as folder:
        duck, here = by_both(
            Path(folder), postgres, {"in.csv": text.getvalue()},
            sources={"rows": {"file": {"path": "in.csv"}, "contract": {"columns": COLUMNS, "rules": {"order": "i <= d"}}}},
            steps=[{"derive": {"up": "upper(t)", "sum": "i + d", "year": "year(day)", "n": "length(t)"}}],
        )  # fmt: skip
    assert here == duck
    read, good, held, dropped, filtered = here.balances["rows"]
    assert read == good + held + dropped + filtered
