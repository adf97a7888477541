"""The commands `headrace streams`: what can be typed. Each opens the module that carries it out when it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group
from headrace.application.cli.run_commands import AsJson, Detach, Project, Quiet

Stream = Annotated[str, typer.Argument(help="The name of the pipeline.", metavar="STREAM")]

streams = group("Streams: list, show, pause, resume, stop, replay.", unsaid="list")


@streams.command("list")
def streams_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the streams of a project, and how each stands."""
    from headrace.application.cli.streaming import list_streams

    list_streams(system(), project, as_json=as_json)


@streams.command("show")
def streams_show(stream: Stream, project: Project = Path(), as_json: AsJson = False) -> None:
    """Show how a stream stands: rows, lag, watermark, checkpoints, state, dead letters."""
    from headrace.application.cli.streaming import show_stream

    show_stream(system(), project, stream, as_json=as_json)


@streams.command("pause")
def streams_pause(stream: Stream, project: Project = Path()) -> None:
    """Let a stream take nothing in until it is resumed. What it has taken in comes to its checkpoint."""
    from headrace.application.cli.scheduling import pause_pipeline

    pause_pipeline(system(), project, stream)


@streams.command("resume")
def streams_resume(stream: Stream, project: Project = Path()) -> None:
    """Let a paused stream go on."""
    from headrace.application.cli.scheduling import resume_pipeline

    resume_pipeline(system(), project, stream)


@streams.command("replay")
def streams_replay(
    start: Annotated[
        str, typer.Option("--from", help="`earliest`, `latest`, a time such as `2024-05-01T12:00:00Z`, or `epoch 12`.")
    ],
    file: Annotated[Path, typer.Argument(help="The definition of the pipeline.", show_default=True)] = Path("pipeline.yaml"),
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A parameter, as name=value; may be repeated.")
    ] = None,
    detach: Detach = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run a stream from another place than where it was: with an empty state, or with that of an epoch that is kept."""
    from headrace.application.cli.running import Wanted, run_file, submit_file
    from headrace.business.streams.beginning import parse_start

    parse_start(start)
    carry_out = submit_file if detach else run_file
    carry_out(system(), file, param, Wanted(start=start), quiet=quiet, as_json=as_json)


@streams.command("stop")
def streams_stop(
    stream: Stream,
    project: Project = Path(),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")] = True,
    as_json: AsJson = False,
) -> None:
    """Bring a stream to a clean end behind its next checkpoint, in whatever process it goes on."""
    from headrace.application.cli.streaming import stop_stream

    stop_stream(system(), project, stream, wait=wait, as_json=as_json)
