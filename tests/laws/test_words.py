"""What files say and do not say: every room introduces itself, nothing is unfinished, nothing tells of the workshop."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

import headrace.face
import headrace.orchestration
import headrace.plugin

UNFINISHED = re.compile(r"\b(TODO|FIXME|NotImplementedError|coming soon)\b")
#: Paths of one machine and hosts of package registries. Spelt in pieces, so that this file does not break its own law.
FOREIGN = re.compile(
    "|".join([r"(?<![\w.])/(?:work|farm)" + "/", "index" + "-url", "pypi" + r"\.org", "pythonhosted" + r"\.org"])
)
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".json", ".cfg", ".sh", ""}


def test_every_room_says_in_a_sentence_what_it_is_for(rooms):
    silent = [r.name for r in rooms if r.text.strip() and not re.search(r"[.!?]", ast.get_docstring(r.tree) or "")]
    assert silent == []


def test_everything_public_has_a_docstring():
    silent = [
        f"{face.__name__}.{name}"
        for face in (headrace.face, headrace.orchestration, headrace.plugin)
        for name in face.__all__
        if callable(thing := getattr(face, name)) and not getattr(thing, "__doc__", None)
    ]
    assert silent == []


def test_nothing_in_the_product_is_unfinished(rooms):
    assert [f"{r.name}: {m[0]}" for r in rooms if (m := UNFINISHED.search(r.text))] == []


def test_only_the_command_line_prints(rooms):
    printing = [
        f"{r.name}:{node.lineno}"
        for r in rooms
        for node in ast.walk(r.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if "/cli/" not in r.name
    ]
    assert printing == []


@pytest.fixture(scope="session")
def kept_files(root):
    """The files of the project: what git tracks, or would."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=root, capture_output=True, check=False)
    if found.returncode:  # an unpacked archive has no git: everything in it is kept
        return [p for p in root.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return [p for name in found.stdout.decode().split("\0") if name and (p := root / name).is_file()]


def test_no_file_names_a_machine_or_a_registry(kept_files, root):
    texts = [p for p in kept_files if p.suffix in TEXT]
    named = [f"{p.relative_to(root)}: {m[0]}" for p in texts if (m := FOREIGN.search(p.read_text(errors="replace")))]
    assert named == []


def test_no_file_is_larger_than_a_megabyte(kept_files, root):
    assert [str(p.relative_to(root)) for p in kept_files if p.stat().st_size > 1_000_000] == []
