"""What is installed is known in full: every requirement is pinned, and every plugin of ours is registered as anyone's would be."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from headrace.business.model.plugin import Plugin


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_constraints_are_names_and_versions_only(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!]+", line)] == []


def test_every_requirement_is_pinned_to_a_version_that_it_allows(project, pins):
    groups = project["optional-dependencies"]
    wanted = [Requirement(text) for group in (project["dependencies"], *groups.values()) for text in group]
    loose = [
        str(requirement)
        for requirement in wanted
        if requirement.name != project["name"]
        and not SpecifierSet(str(requirement.specifier)).contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert loose == []


def test_the_extra_all_is_every_extra_for_users(project):
    everything = Requirement(project["optional-dependencies"]["all"][0]).extras
    assert everything == project["optional-dependencies"].keys() - {"all", "demo", "dev"}


def test_what_is_imported_is_declared(project, rooms):
    """Not what happens to be installed: another package's dependency may be gone tomorrow."""
    groups = project["optional-dependencies"]
    declared = {
        canonicalize_name(Requirement(text).name)
        for group in (project["dependencies"], *(groups[name] for name in groups.keys() - {"dev"}))
        for text in group
    }
    declared.add("pydantic-core")  # the other half of Pydantic, which pins it to one version
    owners = packages_distributions()
    foreign = {
        (room.name, module)
        for room in rooms
        for node in ast.walk(room.tree)
        for module in imported(node)
        if module not in sys.stdlib_module_names and module != "headrace"
    }
    undeclared = {
        (room, module)
        for room, module in foreign
        if not {canonicalize_name(name) for name in owners.get(module, ())} & declared
    }
    assert undeclared == set()


def imported(node: ast.AST) -> list[str]:
    """The top-level modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [(node.module or "").partition(".")[0]]
    return []


def test_every_registered_plugin_is_one_and_has_the_name_it_is_registered_by(project):
    wrong = []
    for group in ("sources", "steps", "checks", "sinks"):
        for name, target in project["entry-points"][f"headrace.{group}"].items():
            module, _, attribute = target.partition(":")
            plugin = getattr(import_module(module), attribute)
            if not (issubclass(plugin, Plugin) and plugin.kind == name and plugin.__doc__):
                wrong.append(f"{group}.{name}")
    assert wrong == []
