"""Plugins are found by name and imported on use."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from tests.definitions.plugins import FileSource, OnlyThese

from headrace.errors import UsageError
from headrace.infrastructure.catalog import GROUPS, Catalog, UnknownPlugin, missing_library


def test_classes_that_are_given_are_found_by_their_kind():
    catalog = Catalog({"sources": [FileSource]})
    assert catalog.source("file") is FileSource
    assert "file" in catalog.names("sources")


def test_installed_plugins_are_found_by_their_entry_points():
    catalog = Catalog()
    assert catalog.step("filter").kind == "filter"
    assert catalog.check("row_count").kind == "row_count"
    assert catalog.find("steps", "derive") is catalog.find("steps", "derive")


def test_every_entry_point_is_a_plugin_of_its_name():
    catalog = Catalog()
    for group in GROUPS:
        for name in catalog.names(group):
            assert catalog.find(group, name).kind == name


def test_listing_names_imports_no_plugin():
    code = (
        "import sys; from headrace.infrastructure.catalog import Catalog; c = Catalog();"
        "assert 'filter' in c.names('steps') and c.has('checks', 'row_count') and c.group_of('filter') == 'steps';"
        "assert not [m for m in sys.modules if m.startswith(('headrace.business.processing.steps', 'headrace.business.validation'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "hint"), [("filtr", "did you mean `filter`?"), ("zzz", "allowed: clean, derive, filter, join, limit, sql")]
)
def test_an_unknown_name_says_what_was_meant(name, hint):
    with pytest.raises(UnknownPlugin, match=f"there is no step `{name}`") as caught:
        OnlyThese().step(name)
    assert caught.value.hint == hint


def with_entry(value: str, *more: str) -> Catalog:
    catalog = OnlyThese()
    catalog.__dict__["_all"] = {
        **{g: {} for g in GROUPS},
        "steps": {"odd": [EntryPoint("odd", v, "headrace.steps") for v in (value, *more)]},
    }
    return catalog


def test_broken_plugins_are_told(tmp_path, monkeypatch):
    (tmp_path / "odd_plugin.py").write_text("x = 1\n")
    (tmp_path / "needy_plugin.py").write_text("import a_library_that_nobody_has\n")
    (tmp_path / "pg_plugin.py").write_text("raise ModuleNotFoundError(name='psycopg')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for value, said in (
        ("odd_plugin:x", "is not a Plugin"),
        ("odd_plugin:y", "is not where its entry point says"),
        ("needy_plugin:x", "a_library_that_nobody_has"),
        ("nowhere_plugin:x", "cannot be imported"),
    ):
        with pytest.raises(UsageError, match=said):
            with_entry(value).step("odd")
    with pytest.raises(UsageError) as caught:
        with_entry("pg_plugin:x").step("odd")
    assert caught.value.hint == "pip install 'headrace[postgres]'"


def test_two_plugins_of_one_name_are_refused():
    with pytest.raises(UsageError, match="several installed packages"):
        with_entry("a:x", "b:x").step("odd")


def test_the_same_plugin_seen_twice_is_one(tmp_path, monkeypatch):
    (tmp_path / "fine_plugin.py").write_text("from tests.definitions.plugins import Limit\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert with_entry("fine_plugin:Limit", "fine_plugin:Limit").step("odd").kind == "limit"


@pytest.mark.parametrize(
    ("library", "extra"),
    [("pyarrow.parquet", "arrow"), ("psycopg", "postgres"), ("fastavro", "avro"), ("python_calamine", "excel")],
)
def test_a_missing_library_says_what_to_install(library, extra):
    found = missing_library(ModuleNotFoundError(name=library))
    assert found is not None
    assert found.hint == f"pip install 'headrace[{extra}]'"
    assert missing_library(ImportError("x", name="a_library_that_nobody_has")) is None
