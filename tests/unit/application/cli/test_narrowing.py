"""A command behaves the same whether it was built alone or with all others."""

from __future__ import annotations

import contextlib
import io

import pytest
from typer.main import get_command

from headrace.application.cli.app import app
from headrace.application.cli.narrowing import command_for

NAMES = sorted(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_help_is_the_same_alone_and_among_all(name: str) -> None:
    words = [name, "--help"]
    narrowed, whole = command_for(app, words), get_command(app)
    shown = [_help(command, words) for command in (narrowed, whole)]
    assert shown[0] == shown[1]
    assert f"headrace {name}" in shown[0]


def _help(command: object, words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        command(args=words, prog_name="headrace")  # type: ignore[operator]
    assert ended.value.code == 0
    return out.getvalue()


@pytest.mark.parametrize("words", [[], ["--help"], ["rnu"], ["-x", "run"]])
def test_without_a_known_first_word_all_commands_are_there(words: list[str]) -> None:
    assert sorted(command_for(app, words).commands) == NAMES  # type: ignore[attr-defined]
