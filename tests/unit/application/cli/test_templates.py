"""What `headrace init` writes is a definition without mistakes, in installed and uninstalled form."""

from __future__ import annotations

import csv
from importlib.resources import files

from tests.corpus.test_corpus import CATALOG

from headrace.infrastructure.loader import load_text

TEMPLATES = files("headrace.application.cli") / "templates"


def test_the_definition_loads():
    loaded = load_text((TEMPLATES / "pipeline.yaml").read_text(), catalog=CATALOG)
    assert loaded.definition.pipeline == "orders"
    assert loaded.definition.tests


def test_it_is_read_in_a_minute():
    lines = (TEMPLATES / "pipeline.yaml").read_text().splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 120
    assert sum("#" in line for line in lines) >= 8


def test_the_sample_has_good_and_bad_rows_of_the_contract():
    loaded = load_text((TEMPLATES / "pipeline.yaml").read_text(), catalog=CATALOG)
    rows = list(csv.DictReader((TEMPLATES / "data" / "sample.csv").read_text().splitlines()))
    contract = loaded.definition.sources["orders"].contract
    assert set(rows[0]) == set(contract.columns)
    countries = contract.columns["country"].in_.is_
    assert {row["country"] in countries for row in rows} == {True, False}
    assert len({row["order_id"] for row in rows}) < len(rows)
