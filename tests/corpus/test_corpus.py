"""Spoilt definitions: the message is on the right line and says what was meant."""

from __future__ import annotations

from collections.abc import Sequence

from tests.corpus.cases import corpus
from tests.corpus.judging import judge
from tests.corpus.mutations import GOOD
from tests.definitions.plugins import PLUGINS

from headrace.errors import DefinitionError, Problem
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loader import load_text

#: The steps and checks are those that are installed.
CATALOG = Catalog({group: PLUGINS[group] for group in ("sources", "sinks")})


def problems_of(text: str) -> Sequence[Problem]:
    try:
        load_text(text, catalog=CATALOG, project=GOOD, env={})
    except DefinitionError as error:
        return error.problems
    return []


def test_the_good_definitions_load():
    assert [str(problem) for file in GOOD.glob("*.yaml") for problem in problems_of(file.read_text())] == []


def test_mistakes_of_form_are_told_on_the_right_line_with_what_was_meant():
    cases = [case for case in corpus() if not case.planning]
    score = judge(cases, problems_of)
    print(score)
    told = f"{score}\n" + "\n".join(score.misses)
    assert score.cases >= 250
    assert score.lines >= 0.95 * score.cases, told
    assert score.suggested >= 0.8 * score.suggestions, told


def test_one_mistake_is_told_once():
    several = [case.name for case in corpus() if not case.planning and len(problems_of(case.text)) > 2]
    assert len(several) <= 5, several
