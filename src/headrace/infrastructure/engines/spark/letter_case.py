"""Upper and lower case, character for character. Spark's own make `SS` of `ß`, and look at where in a word a letter stands."""

from __future__ import annotations

from functools import cache

from headrace.infrastructure.engines.spark.naming import text

_LOWERED = ("[İΣ]", "İ", "i")


def upper_case(x: str) -> str:
    odd, letters, capitals = _odd_capitals()
    kept = f"translate(letter, {text(letters)}, {text(capitals)})"
    return _by_letter(x, "upper", odd, f"CASE WHEN letter RLIKE {text(odd)} THEN {kept} ELSE upper(letter) END")


def lower_case(x: str) -> str:
    odd, letters, small = _LOWERED
    return _by_letter(x, "lower", odd, f"lower(translate(letter, {text(letters)}, {text(small)}))")


def _by_letter(x: str, plain: str, odd: str, changed: str) -> str:
    """Only a text with one of the odd letters is taken apart."""
    each = f"array_join(transform(split({x}, ''), letter -> {changed}), '')"
    return f"CASE WHEN {x} RLIKE {text(odd)} THEN {each} ELSE {plain}({x}) END"


@cache
def _odd_capitals() -> tuple[str, str, str]:
    """The letters whose capital would be several, as a set; and those of them that have a single one, with these."""
    odd = [c for c in map(chr, (*range(0x80, 0xD800), *range(0xE000, 0x1F000))) if len(c.upper()) > 1]
    single = {c: c.title() for c in odd if len(c.title()) == 1 and c.title() != c} | {"ß": "ẞ"}
    return f"[{_ranges(odd)}]", "".join(single), "".join(single.values())


def _ranges(letters: list[str]) -> str:
    """Letters that follow each other, as the first and the last of them."""
    runs: list[list[str]] = []
    for letter in letters:
        if runs and ord(letter) == ord(runs[-1][-1]) + 1:
            runs[-1].append(letter)
        else:
            runs.append([letter])
    return "".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
