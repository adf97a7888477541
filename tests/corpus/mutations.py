"""Good definitions, each spoilt by one mistake: with the line where it is, and the word that was meant, where there is one.

The mistakes that every key and every word from a fixed list can have are made by rule (`misspelt`); the others are written
out, as `old text -> new text`. Mistakes that only planning can see are marked `planning`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.infrastructure.loading.reading import read_document

GOOD = Path(__file__).parent / "good"


@dataclass(frozen=True)
class Case:
    """A spoilt definition. `line` is where a person would point; `meant` must stand in what is said about that line."""

    name: str
    text: str
    line: int
    meant: str | None = None
    planning: bool = False


def misspell(word: str, number: int) -> str:
    """One slip of the fingers; which one depends on the number."""
    middle = len(word) // 2
    if len(word) < 4:
        return (word + word[-1], word[0] + word, word[:-1] + "x" + word[-1])[number % 3]
    return (
        word[:middle] + word[middle + 1 :],
        word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
        word[:middle] + word[middle] + word[middle:],
        word[:-1],
        word + "s" if not word.endswith("s") else word + "e",
    )[number % 5]


#: What stands under these is named by the user; a slip there is another name and no mistake.
_FREE = {"params", "sources", "columns", "rules", "derive", "rename", "cast", "fill", "measures", "count", "slots"}
_ENUMERATED = {
    "type",
    "format",
    "keep",
    "on_fail",
    "how",
    "expect",
    "missing",
    "nulls",
    "mode",
    "engine",
    "by",
    "on_violation",
    "on_drift",
    "types",
    "catch_up",
    "security",
}


def keys_misspelt(name: str, text: str) -> Iterator[Case]:
    """Every key of the language, misspelt once."""
    document = read_document(text, name)
    for number, (path, event) in enumerate(document.places.keys.items()):
        if path[0] == "tests" and len(path) > 3:
            continue
        above = path[-2] if len(path) > 1 else None
        free = above in _FREE and not (above in ("columns", "rules") and path[-1] in ("columns", "on_violation"))
        if free and not (above == "columns" and "key" in path):
            continue
        word, start = str(path[-1]), event.start_mark
        wrong = next(w for n in range(9) if (w := misspell(word, number + n)) != word)
        yield Case(
            f"{name}: key {'.'.join(map(str, path))} as {wrong}",
            _at(text, start.index, word, wrong),
            start.line + 1,
            f"`{word}`",
        )


def words_misspelt(name: str, text: str) -> Iterator[Case]:
    """Every value that is one of a few words, misspelt once."""
    document = read_document(text, name)
    for number, (path, event) in enumerate(document.places.values.items()):
        value = getattr(event, "value", None)
        if path and path[-1] in _ENUMERATED and isinstance(value, str) and value.isidentifier() and "aggregate" not in path:
            wrong, start = misspell(value, number), event.start_mark
            if path[-1] == "format" and "columns" in path:
                continue
            yield Case(f"{name}: word {value} as {wrong}", _at(text, start.index, value, wrong), start.line + 1, f"`{value}`")


def _at(text: str, index: int, old: str, new: str) -> str:
    assert text.startswith(old, index)
    return text[:index] + new + text[index + len(old) :]


def spoilt(file: str, old: str, new: str, meant: str | None = None, *, line: int = 0, planning: bool = False) -> Case:
    """The first `old` replaced. The mistake is on its line, or so many lines further down (or up, if negative)."""
    text = (GOOD / file).read_text()
    assert old in text, f"{old!r} is not in {file}"
    first = text.index(old)
    at = text.count("\n", 0, first) + 1
    return Case(f"{file}: {old!r} -> {new!r}", text.replace(old, new, 1), at + line, meant, planning)
