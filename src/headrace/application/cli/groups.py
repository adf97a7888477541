"""Groups of commands one of which may be left out: `headrace runs` is `headrace runs list`. Nothing is known of the commands here."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


def group(summary: str, unsaid: str | None = None, *, before_words: bool = False) -> typer.Typer:
    """A group of commands. `unsaid` is the command that is meant where none is named; with `before_words` also where what stands
    in its place is a word that is no command, such as a file."""

    class Group(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            first = args[0] if args else "--"
            is_option = first.startswith("-") and first not in ctx.help_option_names
            if unsaid is not None and (
                is_option or (before_words and first not in self.commands and not first.startswith("-"))
            ):
                args = [unsaid, *args]
            return super().parse_args(ctx, args)

    return typer.Typer(help=summary, no_args_is_help=unsaid is None, rich_markup_mode=None, cls=Group)
