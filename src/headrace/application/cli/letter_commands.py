"""The commands `headrace dead-letters` and `headrace state`: what can be typed. Each opens the module that carries it out when typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group
from headrace.application.cli.run_commands import AsJson, Project, Quiet

Stream = Annotated[str, typer.Argument(help="The name of the pipeline.", metavar="STREAM")]
File = Annotated[Path, typer.Argument(help="The definition of the pipeline.", show_default=True)]
Params = Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, as name=value; may be repeated.")]
Shared = Annotated[
    str | None, typer.Option("--connection", help="Where it is shared; in the state folder unless said.", metavar="NAME")
]
DEFAULT_FILE = Path("pipeline.yaml")

letters = group("Messages that could not be read: list, show, replay.", unsaid="list")
state = group("What streams keep: list, show, remove.", unsaid="list")


@letters.command("list")
def letters_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List how many messages of each stream and source could not be read, and why."""
    from headrace.application.cli.lettering import list_letters

    list_letters(system(), project, as_json=as_json)


@letters.command("show")
def letters_show(
    stream: Stream,
    project: Project = Path(),
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the messages of a stream that could not be read: where each stood, why, and what it holds."""
    from headrace.application.cli.lettering import show_letters

    show_letters(system(), project, stream, limit, as_json=as_json)


@letters.command("replay")
def letters_replay(file: File = DEFAULT_FILE, param: Params = None, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Run a stream that reads its dead letters once more before it goes on, each at most once."""
    from headrace.application.cli.running import Wanted, run_file
    from headrace.business.streams.beginning import DEAD_LETTERS

    run_file(system(), file, param, Wanted(start=DEAD_LETTERS), quiet=quiet, as_json=as_json)


@state.command("list")
def state_list(project: Project = Path(), connection: Shared = None, as_json: AsJson = False) -> None:
    """List the streams whose state is kept, with their checkpoints and how large it is."""
    from headrace.application.cli.state_showing import list_states

    list_states(system(), project, connection, as_json=as_json)


@state.command("show")
def state_show(
    stream: Stream,
    project: Project = Path(),
    connection: Shared = None,
    epoch: Annotated[int | None, typer.Option("--epoch", help="The checkpoint; the last one unless said.", min=1)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many rows of each step.", min=0)] = 5,
    as_json: AsJson = False,
) -> None:
    """Show what a stream keeps: how far each partition was read, its watermarks, and rows of its state."""
    from headrace.application.cli.state_showing import show_state

    show_state(system(), project, stream, connection, epoch, limit, as_json=as_json)


@state.command("remove")
def state_remove(stream: Stream, project: Project = Path(), connection: Shared = None) -> None:
    """Forget all that is kept of a stream. Its sinks keep their rows, and `headrace streams replay` lets it begin anew."""
    from headrace.application.cli.state_showing import remove_state

    remove_state(system(), project, stream, connection)
