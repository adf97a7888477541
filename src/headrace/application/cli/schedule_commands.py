"""The commands `headrace schedule` and `headrace backfill`: what can be typed. Each opens the module that carries it out when typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group
from headrace.application.cli.run_commands import AsJson, Detach, Project

Pipeline = Annotated[str, typer.Argument(help="The name of the pipeline.", metavar="PIPELINE")]

schedule = group("What runs by itself: list, pause, resume.", unsaid="list")
backfill = group(
    "Runs over a range of a parameter, each value once: run (may be left out), list, show.", unsaid="run", before_words=True
)


@schedule.command("list")
def schedule_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List what is in service and runs by itself, when next, what is paused, and which files are broken. When nobody serves, it says so."""
    from headrace.application.cli.scheduling import list_schedules

    list_schedules(system(), project, as_json=as_json)


@schedule.command("pause")
def schedule_pause(pipeline: Pipeline, project: Project = Path()) -> None:
    """Let the runs of a pipeline wait, whoever asks for them, until it is resumed."""
    from headrace.application.cli.scheduling import pause_pipeline

    pause_pipeline(system(), project, pipeline)


@schedule.command("resume")
def schedule_resume(pipeline: Pipeline, project: Project = Path()) -> None:
    """Let the runs of a paused pipeline go on."""
    from headrace.application.cli.scheduling import resume_pipeline

    resume_pipeline(system(), project, pipeline)


@backfill.command("run")
def backfill_run(
    file: Annotated[Path, typer.Argument(help="The definition of the pipeline.", show_default=True)] = Path("pipeline.yaml"),
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="One is a range (`day=2024-01-01..2024-01-31`) or a list (`country=NO,SE`)."),
    ] = None,
    step: Annotated[str | None, typer.Option("--step", help="From value to value: `week`, `2 hours`, `10`.")] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", help="How many may go on at once: what the definition allows, or fewer.", min=1),
    ] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", help="By itself one less than the pipeline's.", min=-1000, max=1000)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also the values that were run before.")] = False,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline once for each value of a parameter. The same command again goes on where it was."""
    from headrace.application.cli.backfilling import Asked, backfill_file

    asked = Asked(param or (), step, concurrency, priority, again)
    backfill_file(system(), file, asked, detach=detach, as_json=as_json)


@backfill.command("list")
def backfill_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the backfills and what became of their runs."""
    from headrace.application.cli.backfilling import list_backfills

    list_backfills(system(), project, as_json=as_json)


@backfill.command("show")
def backfill_show(
    wanted: Annotated[
        str, typer.Argument(help="The backfill's id, the beginning of it, or `latest`.", metavar="BACKFILL")
    ] = "latest",
    project: Project = Path(),
    as_json: AsJson = False,
) -> None:
    """Show the run of each value of a backfill."""
    from headrace.application.cli.backfilling import show_backfill

    show_backfill(system(), project, wanted, as_json=as_json)
