"""Queries that nobody would write give the rows that DuckDB gives for the same text."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: Tables with their columns of whole numbers; `s` and `k` are words. Short aliases make names collide as often as they can.
NUMBERS = {"t": ("a", "b"), "u": ("a", "c"), "e": ("id", "boss", "pay")}
WORDS = {"t": ("s",), "u": ("k",), "e": ("name",)}


@st.composite
def sources(draw: st.DrawFn, depth: int) -> tuple[str, list[str]]:
    """A `FROM` clause and the numbers that can be named there."""
    text, numbers = "", []
    for place in range(draw(st.integers(1, 2))):
        table, alias = draw(st.sampled_from(sorted(NUMBERS))), f"x{depth}{place}"
        names = [f"{alias}.{name}" for name in NUMBERS[table]]
        written = f"{table} {alias}"
        if depth < 2 and draw(st.integers(0, 4)) == 0:
            written, names = f"({draw(queries(depth + 1, ()))}) {alias}", [f"{alias}.n", f"{alias}.m"]
        if not place:
            text = written
        elif draw(st.booleans()):
            text += f", {written}"
        else:
            kind = draw(st.sampled_from(["join", "left join", "right join", "full join"]))
            text += f" {kind} {written} on {draw(st.sampled_from(numbers))} = {draw(st.sampled_from(names))}"
        numbers += names
    return text, numbers


@st.composite
def values(draw: st.DrawFn, depth: int, own: list[str], outer: tuple[str, ...]) -> str:
    column = draw(st.sampled_from([*own, *own, *outer]))
    if depth < 2 and draw(st.integers(0, 6)) == 0:
        source, names = draw(sources(depth + 1))
        where = draw(conditions(depth + 2, names, (*outer, *own)))
        return f"(select max({draw(st.sampled_from(names))}) from {source} where {where})"
    return draw(
        st.sampled_from([column, f"({column} + 1)", f"coalesce({column}, 0)", f"abs({column} - {draw(st.sampled_from(own))})"])
    )


@st.composite
def conditions(draw: st.DrawFn, depth: int, own: list[str], outer: tuple[str, ...]) -> str:
    left, right = draw(values(2, own, outer)), draw(values(2, own, outer))
    plain = f"{left} {draw(st.sampled_from(['=', '<>', '<', '>=']))} {right}"
    choice = draw(st.integers(0, 5))
    if choice == 0:
        return f"({plain} or {left} is null)"
    if choice == 1:
        return f"{left} not in (1, 2, 7)"
    if choice == 2 and depth < 2:
        source, names = draw(sources(depth + 1))
        inner = draw(conditions(depth + 1, names, (*outer, *own)))
        return f"{draw(st.sampled_from(['', 'not ']))}exists (select * from {source} where {inner})"
    if choice == 3 and depth < 2:
        source, names = draw(sources(depth + 1))
        inner = draw(conditions(depth + 1, names, (*outer, *own)))
        return f"{left} in (select {draw(st.sampled_from(names))} from {source} where {inner})"
    return plain


@st.composite
def queries(draw: st.DrawFn, depth: int = 0, outer: tuple[str, ...] = ()) -> str:
    """A query with the columns `n` and `m`."""
    source, own = draw(sources(depth))
    where = f" where {draw(conditions(depth, own, outer))}" if draw(st.booleans()) else ""
    shape = draw(st.sampled_from(["rows", "distinct", "groups", "windows", "union", "all"]))
    n, m = draw(values(depth, own, outer)), draw(values(2, own, outer))
    if shape == "groups":
        key = draw(st.sampled_from(own))
        having = f" having count({m}) > 1" if draw(st.booleans()) else ""
        return f"select {key} as n, sum({m}) as m from {source}{where} group by {draw(st.sampled_from(['1', key]))}{having}"
    if shape == "windows":
        rank = f"rank() over (partition by {own[0]} order by {', '.join(own)})"
        qualify = f" qualify {rank} <= 2" if draw(st.booleans()) else ""
        return f"select {n} as n, {rank} as m from {source}{where}{qualify}"
    if shape in ("union", "all") and depth < 2:
        words = draw(st.sampled_from(["union", "union all", "except", "intersect", "intersect all", "except all"]))
        return f"select {n} as n, {m} as m from {source}{where} {words} {draw(queries(depth + 1, outer))}"
    return f"select {'distinct ' if shape == 'distinct' else ''}{n} as n, {m} as m from {source}{where}"


@given(text=queries())
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_gives_the_same_rows(text: str, small) -> None:
    small.check(text)
