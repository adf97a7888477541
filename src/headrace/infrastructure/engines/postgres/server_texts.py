"""Functions of the session on text: case, accents, titles, edits. Characters are changed one for one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure

#: Letters whose capital is one character, of which Python (and PostgreSQL's "full" mapping) would make several.
_CAPITALS = {
    "ß": "ẞ", "ᾳ": "ᾼ", "ῃ": "ῌ", "ῳ": "ῼ",
    **{chr(c): chr(c + 8) for start in (0x1F80, 0x1F90, 0x1FA0) for c in range(start, start + 8)},
}  # fmt: skip
#: The one capital whose small letter Python makes two characters.
_SMALL = {"İ": "i"}
#: Where Unicode has letters of two cases, beyond ASCII.
_LETTERS = (*range(0x80, 0xD800), *range(0xE000, 0x1F000))
#: Where Unicode has marks, accents among them.
_MARKS = (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))
#: Since this version PostgreSQL brings a collation that changes the case of all of Unicode, one for one.
_KNOWS_CASE = 17


def texts(version: int) -> tuple[str, ...]:
    return (_lower(version), _upper(version), *_OTHERS, _without_accents())


def _lower(version: int) -> str:
    if version >= _KNOWS_CASE:
        return expression("lower_case(x text)", "text", "lower(x COLLATE pg_c_utf8)")
    return _by_table("lower_case", "lower", str.lower, _SMALL)


def _upper(version: int) -> str:
    if version >= _KNOWS_CASE:
        return expression("upper_case(x text)", "text", "translate(upper(x COLLATE pg_c_utf8), 'ß', 'ẞ')")
    return _by_table("upper_case", "upper", str.upper, _CAPITALS)


def _by_table(name: str, plain: str, change: Callable[[str], str], odd: dict[str, str]) -> str:
    """ASCII by PostgreSQL itself, all else by a table of all letters."""
    pairs = [(c, odd.get(c, change(c))) for c in map(chr, _LETTERS)]
    changed = [(c, other) for c, other in pairs if other != c and len(other) == 1]
    table = (
        f"translate({plain}(x COLLATE \"C\"), '{''.join(c for c, _ in changed)}', '{''.join(other for _, other in changed)}')"
    )
    return expression(
        f"{name}(x text)", "text", f'CASE WHEN octet_length(x) = char_length(x) THEN {plain}(x COLLATE "C") ELSE {table} END'
    )


def _without_accents() -> str:
    marks = [code for code in _MARKS if unicodedata.category(chr(code)).startswith("M")]
    ranges: list[tuple[int, int]] = []
    for code in marks:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    listed = "".join(f"\\U{low:08x}" if low == high else f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    bare = f"normalize(regexp_replace(normalize(x, NFD) COLLATE \"C\", '[{listed}]', '', 'g'), NFC)"
    return expression("without_accents(x text)", "text", f"CASE WHEN octet_length(x) = char_length(x) THEN x ELSE {bare} END")


_OTHERS = (
    expression("place(x bigint)", "integer", "CASE WHEN abs(x / 2) < 1073741823 THEN x::integer WHEN x > 0 THEN 2147483647 WHEN x < 0 THEN -2147483647 END"),
    expression("size(x bigint)", "integer", "CASE WHEN x <= 0 THEN 0 WHEN x < 2147483647 THEN x::integer WHEN x > 0 THEN 2147483647 END"),
    expression("trimmed(x text)", "text", r"btrim(x, E' \t\n\v\f\r')"),
    expression("part_of_text(x text, start bigint, count bigint)", "text", """CASE WHEN start IS NOT NULL AND count IS NOT NULL
        THEN substr(x, greatest(least(start, 1073741824), 1)::integer,
                    greatest(least(least(start, 1073741824) + greatest(least(count, 1073741823), 0) - greatest(least(start, 1073741824), 1), 1073741823), 0)::integer) END"""),
    procedure("title_case(x text)", "text", """
        RETURN coalesce((
            SELECT string_agg(pg_temp.upper_case(left(word, 1)) || substr(word, 2), ' ' ORDER BY place)
            FROM unnest(string_to_array(pg_temp.lower_case(x), ' ')) WITH ORDINALITY AS words(word, place)
        ), '');"""),
    procedure("edits(a text, b text)", "bigint", """
        FOR i IN 1 .. octet_length(one) LOOP
            diagonal := costs[1];
            costs[1] := i;
            FOR j IN 1 .. octet_length(other) LOOP
                above := costs[j + 1];
                costs[j + 1] := least(above + 1, costs[j] + 1, diagonal + (get_byte(one, i - 1) <> get_byte(other, j - 1))::integer);
                diagonal := above;
            END LOOP;
        END LOOP;
        RETURN costs[octet_length(other) + 1];""",
        """one bytea := convert_to(a, 'UTF8'); other bytea := convert_to(b, 'UTF8'); diagonal integer; above integer;
        costs integer[] := ARRAY(SELECT generate_series(0, octet_length(convert_to(b, 'UTF8'))));"""),
)  # fmt: skip
