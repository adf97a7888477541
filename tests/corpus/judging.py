"""How well the messages of a corpus point at its mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.corpus.mutations import Case

from headrace.errors import Problem


@dataclass
class Score:
    """How many were found at all, on the right line, and with the right suggestion; and what was said about the others."""

    cases: int = 0
    lines: int = 0
    suggestions: int = 0
    suggested: int = 0
    misses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cases} definitions: the right line in {self.lines / self.cases:.1%}, "
            f"the right suggestion in {self.suggested / self.suggestions:.1%} of {self.suggestions}"
        )


def judge(cases: Iterable[Case], problems_of: Callable[[str], Sequence[Problem]]) -> Score:
    """A case counts only if the first problem is on its line: one mistake must not be told as many, but for what really follows from it."""
    score = Score()
    for case in cases:
        problems = problems_of(case.text)
        score.cases += 1
        first = problems[0] if problems else None
        on_line = first is not None and first.location is not None and first.location.line == case.line and len(problems) <= 4
        score.lines += on_line
        if case.meant is not None:
            score.suggestions += 1
            said = "\n".join(f"{p.message}\n{p.hint}" for p in problems if p.location and p.location.line == case.line)
            score.suggested += case.meant in said
            if case.meant not in said:
                score.misses.append(f"{case.name}: wanted {case.meant!r} on line {case.line}, said {_said(problems)}")
        if not on_line:
            score.misses.append(f"{case.name}: wanted line {case.line}, said {_said(problems)}")
    return score


def _said(problems: Sequence[Problem]) -> str:
    return " | ".join(str(p) for p in problems) or "nothing"
