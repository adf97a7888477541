"""The pages of the documentation, taken apart into their blocks of code, and commands run as a reader would type them."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from headrace import bootstrap
from headrace.application.cli.invocation import invoke

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md"])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What differs from run to run: the run's id, the plan's fingerprint, times.
_PASSING = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|\b[0-9a-f]{16}\b|\d+(?:\.\d+)? (?:ms|s)\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, where it says so."""
        found = re.match(r"# file: (\S+)\n", self.text)
        return found[1] if found else None


def blocks(*languages: str, pages: list[Path] = PAGES) -> Iterator[Block]:
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for found in _BLOCK.finditer(text):
            if found[1] in languages:
                yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def environment() -> dict[str, str]:
    """With the `headrace` of this interpreter, and nothing of the project's own settings."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**{k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_")}, "PATH": path, "NO_COLOR": "1"}


class Terminal:
    """A shell that stays where `cd` brought it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, command: str) -> str:
        """What a command prints, errors included, without what it tells on the way."""
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            return ""
        name, *words = shlex.split(command)
        plain = name == "headrace" and not re.search(r"[|&;<>$*`~]", command)
        printed, said = self._here(words) if plain else self._by_a_shell(command)
        return printed + "\n".join(line for line in said.splitlines() if not line.lstrip().startswith("✓"))

    def _here(self, words: list[str]) -> tuple[str, str]:
        """Without a process of its own, which would take longer to begin than most commands work."""
        printed, said = io.StringIO(), io.StringIO()
        with (
            chdir(self.folder),
            patch.dict(os.environ, environment(), clear=True),
            redirect_stdout(printed),
            redirect_stderr(said),
        ):
            invoke(words, lambda: bootstrap)
        return printed.getvalue(), said.getvalue()

    def _by_a_shell(self, command: str) -> tuple[str, str]:
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout, done.stderr


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines that it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed.splitlines()


def missing(expected: list[str], came: str) -> list[str]:
    """The expected lines that did not come, in their order. `...` stands for anything, within a line and between lines."""
    lines = [_plain(line) for line in came.splitlines()]
    lost = []
    for line in expected:
        pattern = ".*".join(re.escape(_plain(piece)) for piece in line.split("..."))
        at = next((i for i, other in enumerate(lines) if re.fullmatch(pattern.strip(), other)), None)
        if at is None and line.strip(". "):
            lost.append(line)
        elif at is not None and line.strip(". "):
            lines = lines[at + 1 :]
    return lost


def _plain(line: str) -> str:
    return " ".join(_PASSING.sub("~", line).split())
