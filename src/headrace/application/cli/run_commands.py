"""The commands `headrace runs`, `workers`, `breakers`. Each opens the module that carries it out when it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group

Run = Annotated[str, typer.Argument(help="The run's id, the beginning of it, or `latest`.", metavar="RUN")]
Project = Annotated[Path, typer.Option("--project", help="The folder that holds the definition.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Detach = Annotated[bool, typer.Option("--detach", help="Leave it to a worker, and do not wait.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what went wrong.")]

runs = group("Runs: list, show, watch, cancel, resume, retry.", unsaid="list")
workers = group("Who carries runs out.", unsaid="list")
breakers = group("Circuit breakers before remote systems: list, reset.", unsaid="list")


@runs.command("list")
def runs_list(
    project: Project = Path(),
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs of a project, the latest first."""
    from headrace.application.cli.history import list_runs

    list_runs(system(), project, limit, as_json=as_json)


@runs.command("show")
def runs_show(run_id: Run = "latest", project: Project = Path(), as_json: AsJson = False) -> None:
    """Show where a run stands and why it waits, who carried it out, what lies ready, and what became of its rows."""
    from headrace.application.cli.history import show_course

    show_course(system(), project, run_id, as_json=as_json)


@runs.command("watch")
def runs_watch(run_id: Run = "latest", project: Project = Path(), as_json: AsJson = False) -> None:
    """Follow a run until it ends, whoever carries it out. The exit code is that of the run."""
    from headrace.application.cli.watching import watch_run

    watch_run(system(), project, run_id, as_json=as_json)


@runs.command("cancel")
def runs_cancel(
    run_id: Run,
    project: Project = Path(),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")] = True,
    as_json: AsJson = False,
) -> None:
    """Stop a run that waits or goes on, in whatever process."""
    from headrace.application.cli.controlling import cancel_run

    cancel_run(system(), project, run_id, wait=wait, as_json=as_json)


@runs.command("resume")
def runs_resume(
    run_id: Run = "latest",
    project: Project = Path(),
    detach: Detach = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that failed or was cancelled, behind what is staged, by the definition that it began with."""
    from headrace.application.cli.controlling import reopen_run

    reopen_run(system(), project, run_id, "resumed", detach=detach, quiet=quiet, as_json=as_json)


@runs.command("retry")
def runs_retry(
    run_id: Run = "latest",
    project: Project = Path(),
    detach: Detach = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Do a run that failed or was cancelled again from the start, under its id and by the definition that it began with."""
    from headrace.application.cli.controlling import reopen_run

    reopen_run(system(), project, run_id, "retried", detach=detach, quiet=quiet, as_json=as_json)


@workers.command("list")
def workers_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the workers, whether they are alive, and what they carry out."""
    from headrace.application.cli.attending import list_workers

    list_workers(system(), project, as_json=as_json)


@breakers.command("list")
def breakers_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the remote systems that have failed, and whether calls to them are made."""
    from headrace.application.cli.breaking import list_breakers

    list_breakers(system(), project, as_json=as_json)


@breakers.command("reset")
def breakers_reset(
    name: Annotated[str, typer.Argument(help="As `headrace breakers list` has it.", metavar="SYSTEM")],
    project: Project = Path(),
) -> None:
    """Close the circuit of a system, so that the next call is made at once."""
    from headrace.application.cli.breaking import reset_breaker

    reset_breaker(system(), project, name)
