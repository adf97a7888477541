"""Spoilt definitions whose mistakes show only beside the data: columns, expressions, queries. Told on the right line all the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.corpus.cases import corpus
from tests.corpus.judging import judge
from tests.corpus.mutations import GOOD

from headrace import bootstrap
from headrace.errors import DefinitionError, Problem
from headrace.infrastructure.loader import load_text


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return Path(shutil.copytree(GOOD, tmp_path_factory.mktemp("corpus") / "project"))


def problems_of(text: str, project: Path) -> Sequence[Problem]:
    env = {"BOOKS_URL": "postgresql://nobody@localhost/nowhere"}
    try:
        return bootstrap.check(load_text(text, catalog=bootstrap.catalog(), project=project, env=env))
    except DefinitionError as error:
        return error.problems


def test_the_good_definitions_can_be_planned(project):
    assert [str(problem) for file in GOOD.glob("*.yaml") for problem in problems_of(file.read_text(), project)] == []


def test_mistakes_of_meaning_are_told_on_the_right_line_with_what_was_meant(project):
    cases = [case for case in corpus() if case.planning]
    score = judge(cases, lambda text: problems_of(text, project))
    print(score)
    told = f"{score}\n" + "\n".join(score.misses)
    assert score.cases >= 50
    assert score.lines >= 0.95 * score.cases, told
    assert score.suggested >= 0.8 * score.suggestions, told
