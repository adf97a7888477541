"""Builds only the command that was typed: all the others would cost more than what a small run decides. It knows no command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.main import get_command, get_group


def command_for(app: typer.Typer, arguments: Sequence[str]) -> Callable[..., Any]:
    """The application, with nothing but the command or group that the first word names; with everything when it names none."""
    first = arguments[0] if arguments else ""
    commands = [c for c in app.registered_commands if first == (c.name or getattr(c.callback, "__name__", ""))]
    groups = [g for g in app.registered_groups if g.name == first]
    if not (commands or groups):
        whole: Callable[..., Any] = get_command(app)
        return whole
    only = typer.Typer(
        name=app.info.name,
        help=app.info.help,
        rich_markup_mode=None,
        add_completion=False,
        context_settings=app.info.context_settings,
    )
    only.registered_commands, only.registered_groups = commands, groups
    narrowed: Callable[..., Any] = get_group(only)
    return narrowed
