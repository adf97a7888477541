"""Strict casts of text: the quick looks that take most texts take none that the written notation would refuse, and lose none."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.model.types import DataType, Date, Decimal, Integer
from headrace.infrastructure.engines.duckdb.matching import matches_spaced
from headrace.infrastructure.engines.duckdb.text_casts import from_text
from headrace.infrastructure.engines.duckdb.types import duckdb_type

#: All that DuckDB's own casts of text to numbers and dates give a meaning to, and their neighbours in the order of bytes.
ALPHABET = "0123456789+-._eExXbB/: "

#: For each type the notation of its values, which defines the strict cast.
NOTATIONS: dict[DataType, str] = {
    Integer(8): r"[+-]?\d+",
    Integer(32): r"[+-]?\d+",
    Integer(64): r"[+-]?\d+",
    Integer(128): r"[+-]?\d+",
    Integer(16, signed=False): r"[+-]?\d+",
    Decimal(15, 2): r"[+-]?(?:\d+(?:\.\d{0,2}0*)?|\.\d{1,2}0*)",
    Decimal(4, 1): r"[+-]?(?:\d+(?:\.\d{0,1}0*)?|\.\d{1,1}0*)",
    Decimal(9, 4): r"[+-]?(?:\d+(?:\.\d{0,4}0*)?|\.\d{1,4}0*)",
    Decimal(18, 0): r"[+-]?(?:\d+(?:\.0*)?|\.0+)",
    Decimal(38, 10): r"[+-]?(?:\d+(?:\.\d{0,10}0*)?|\.\d{1,10}0*)",
    Date(): r"(?:\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})-\d\d-\d\d",
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def differing(con: duckdb.DuckDBPyConnection, texts: str, kind: DataType) -> list[tuple[object, ...]]:
    """The texts of the relation that our cast and the notation judge differently."""
    by_notation = f"CASE WHEN {matches_spaced('t', NOTATIONS[kind])} THEN TRY_CAST(t AS {duckdb_type(kind)}) END"
    found = f"SELECT t, {from_text('t', kind)} AS ours, {by_notation} AS theirs FROM {texts}"
    return con.execute(f"SELECT * FROM ({found}) WHERE ours IS DISTINCT FROM theirs LIMIT 10").fetchall()


def words(alphabet: str, length: int) -> str:
    """A relation of all texts of a length."""
    letters = f"(SELECT unnest(string_split('{alphabet}', '')) AS c)"
    joined = " CROSS JOIN ".join(f"{letters} AS l{i}" for i in range(length))
    return f"(SELECT {' || '.join(f'l{i}.c' for i in range(length))} AS t FROM {joined})"


@pytest.mark.parametrize("kind", NOTATIONS, ids=str)
@pytest.mark.parametrize(("alphabet", "length"), [(ALPHABET, 1), (ALPHABET, 2), (ALPHABET, 3), (ALPHABET, 4), ("059.e_-x", 6)])
def test_every_short_text(alphabet: str, length: int, kind: DataType, con: duckdb.DuckDBPyConnection) -> None:
    assert differing(con, words(alphabet, length), kind) == []


@pytest.mark.parametrize("kind", NOTATIONS, ids=str)
def test_numbers_in_other_notations_of_the_length_of_their_value(kind: DataType, con: duckdb.DuckDBPyConnection) -> None:
    """`5e2` is as long as 500, `0xFFFFF` as 1048575."""
    numbers = "(SELECT unnest(range(0, 1200)) AS n), (SELECT unnest(range(0, 16)) AS e)"
    written = (
        "n || 'e' || e", "n || '.e' || e", "n || '.5E' || e", "'.' || n || 'e' || e", "n || 'e+' || e", "n || '00e-' || e",
        "'0x' || hex(n * 10 ** (e // 2)::BIGINT)", "'0b' || bin(n)", "n || '_' || e", "n || '_0' || 'e' || e", "n || '.' || e || '9'",
        "n || '.' || e", "'-' || n || 'e' || e", "n || repeat('0', e)", "repeat('0', e) || n", "n || repeat(' ', e)",
    )  # fmt: skip
    texts = " UNION ALL ".join(f"SELECT {text} AS t FROM {numbers}" for text in written)
    assert differing(con, f"({texts})", kind) == []


@pytest.mark.parametrize("day", ["1996-02-03", "1999-12-31", "0996-10-10", "10000-1-01", "1996-2-03", "996-02-03"])
def test_dates_with_two_characters_changed_or_one_more_or_one_less(day: str, con: duckdb.DuckDBPyConnection) -> None:
    letters = f"(SELECT unnest(string_split('{ALPHABET}T(é', '')) AS c)"
    places = f"(SELECT unnest(range(1, {len(day) + 2})) AS i)"
    one = f"SELECT substr(t, 1, i - 1) || c || substr(t, i + 1) AS t FROM {{}}, {letters}, {places}"
    changed = one.format(f"({one.format(f'(SELECT {day!r} AS t)')})")
    added = f"SELECT substr(t, 1, i - 1) || c || substr(t, i) AS t FROM ({one.format(f'(SELECT {day!r} AS t)')}), {letters}, {places}"
    removed = f"SELECT substr(t, 1, i - 1) || substr(t, i + 1) AS t FROM ({changed}), {places}"
    assert differing(con, f"({changed} UNION {added} UNION {removed})", Date()) == []


@settings(deadline=None, max_examples=50)
@given(
    texts=st.lists(
        st.one_of(
            st.text(ALPHABET, max_size=14),
            st.integers(-(10**21), 10**21).map(str),
            st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
            st.dates().map(str),
            st.text(max_size=12).filter(lambda t: "\0" not in t),
        ),
        min_size=1,
        max_size=200,
    ),
    kind=st.sampled_from(list(NOTATIONS)),
)
def test_any_text(texts: list[str], kind: DataType) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE texts AS SELECT unnest($1::VARCHAR[]) AS t", [texts])
        assert differing(con, "texts", kind) == []


def test_plain_values_are_values(con: duckdb.DuckDBPyConnection) -> None:
    """So that two casts that refuse everything would not agree."""
    plain: list[tuple[str, DataType]] = [
        ("17", Integer(32)), ("0", Integer(8)), ("-100", Integer(64)), ("17", Decimal(15, 2)), ("0.04", Decimal(15, 2)),
        ("29014.75", Decimal(15, 2)), ("0.5", Decimal(4, 1)), ("1996-03-13", Date()), ("0001-01-01", Date()), (" 1996-03-13", Date()),
    ]  # fmt: skip
    for written, kind in plain:
        ((same,),) = con.execute(
            f"SELECT {from_text('t', kind)} = CAST(t AS {duckdb_type(kind)}) FROM (SELECT '{written}' AS t)"
        ).fetchall()
        assert same, (written, kind)
    for written, kind in [("5e2", Integer(32)), ("5.7", Integer(32)), ("5e1", Decimal(15, 2)), ("1996/02/03", Date())]:
        assert con.execute(f"SELECT {from_text('t', kind)} FROM (SELECT '{written}' AS t)").fetchall() == [(None,)]
