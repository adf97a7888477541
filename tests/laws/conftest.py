"""What the laws look at: the project's own files, read once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "headrace"


@dataclass(frozen=True)
class Room:
    """A module of the product: where it is, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(SOURCE.parent))

    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    def classes(self) -> list[ast.ClassDef]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)]


@pytest.fixture(scope="session")
def rooms() -> list[Room]:
    files = sorted(SOURCE.rglob("*.py"))
    return [Room(path, text := path.read_text(), ast.parse(text)) for path in files]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
