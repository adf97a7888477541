"""The generated reference pages are those that lie in the docs, and leave no key of a definition without a meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.infrastructure.loading import reference

DOCS = Path(__file__).parents[4] / "docs" / "reference"
PAGES = reference.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_current(name):
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "run `python -m headrace.infrastructure.loading.reference`"


@pytest.mark.parametrize(("title", "model"), reference.PARTS, ids=[title for title, _ in reference.PARTS])
def test_every_key_has_a_meaning(title, model):
    silent = [
        n
        for n, f in model.model_fields.items()
        if n != "plugin" and not f.description and (f.alias or n) not in reference.MEANINGS
    ]
    assert silent == []
    for name, field in model.model_fields.items():
        if name != "plugin":
            assert f"`{field.alias or name}`" in PAGES["definition.md"]


def test_no_word_of_python_reaches_the_reader():
    assert not [
        w for w in ("NoneType", "nonetype", "Annotated", "Mapping", "<class", "Undefined") if w in PAGES["definition.md"]
    ]


def test_every_command_is_told():
    assert all(f"## headrace {name}" in PAGES["cli.md"] for name in ("init", "run", "quarantine replay", "contract infer"))
