"""The commands `headrace connection`: what can be typed. Each opens the module that carries it out when it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group
from headrace.application.cli.run_commands import AsJson, Project

connection = group("How systems outside are reached: list, test.", unsaid="list")


@connection.command("list")
def connection_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the connections of headrace.toml and the environment, and where they lead."""
    from headrace.application.cli.connecting import list_connections

    list_connections(system(), project, as_json=as_json)


@connection.command("test")
def connection_test(
    name: Annotated[str, typer.Argument(help="As `headrace connection list` has it.", metavar="NAME")],
    project: Project = Path(),
    as_json: AsJson = False,
) -> None:
    """Connect and authenticate: the server's version, TLS, the rights that matter, and how far away it is."""
    from headrace.application.cli.connecting import test_connection

    test_connection(system(), project, name, as_json=as_json)
