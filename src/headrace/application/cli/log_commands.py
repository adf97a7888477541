"""The commands `headrace events` and `subscriptions`. Each opens the module that carries it out when it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.groups import group

Project = Annotated[Path, typer.Option("--project", help="The folder that holds the definition.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Argument(help="As `headrace subscriptions list` has it.", metavar="SUBSCRIPTION")]
Position = Annotated[int | None, typer.Argument(help="Only the one at this position.", metavar="POSITION")]

events = group("What happened: tail, replay, verify, export.")
subscriptions = group("Who hears of events: list, dead-letters, retry, drop.", unsaid="list")


@events.command("tail")
def events_tail(
    run_id: Annotated[
        str | None, typer.Argument(help="Only of this run: its id, the beginning of it, or `latest`.", metavar="RUN")
    ] = None,
    project: Project = Path(),
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Only of this type, such as `pipeline.*`; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many of those that are there.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Print the newest events, one a line."""
    from headrace.application.cli.watching import tail_events

    tail_events(system(), project, run_id, kind or (), limit, follow=follow, as_json=as_json)


@events.command("verify")
def events_verify(project: Project = Path(), as_json: AsJson = False) -> None:
    """Follow the hash chain over the log, and name the first event that was edited, removed, inserted or swapped."""
    from headrace.application.cli.watching import verify_events

    verify_events(system(), project, as_json=as_json)


@events.command("export")
def events_export(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; otherwise they are printed.")] = None,
    after: Annotated[int, typer.Option("--after", help="Only what comes behind this position.", min=0)] = 0,
    cloud: Annotated[bool, typer.Option("--cloudevents", help="As CloudEvents 1.0.")] = False,
    project: Project = Path(),
) -> None:
    """Write all events as JSON, one a line."""
    from headrace.application.cli.watching import export_events

    export_events(system(), project, out, after, cloud=cloud)


@events.command("replay")
def events_replay(
    name: Name,
    after: Annotated[int, typer.Option("--after", help="From behind this position on.", min=0)] = 0,
    project: Project = Path(),
) -> None:
    """Have a subscription hear of events again, from any position. The read side is built anew."""
    from headrace.application.cli.subscribing import replay_events

    replay_events(system(), project, name, after)


@subscriptions.command("list")
def subscriptions_list(project: Project = Path(), as_json: AsJson = False) -> None:
    """List the subscriptions: how far each has come, how far it is behind, and its last error."""
    from headrace.application.cli.subscribing import list_subscriptions

    list_subscriptions(system(), project, as_json=as_json)


@subscriptions.command("dead-letters")
def subscriptions_dead_letters(
    name: Annotated[str | None, typer.Argument(help="Only those of this one.", metavar="SUBSCRIPTION")] = None,
    project: Project = Path(),
    as_json: AsJson = False,
) -> None:
    """List the events that a subscription could not take."""
    from headrace.application.cli.subscribing import list_dead_letters

    list_dead_letters(system(), project, name, as_json=as_json)


@subscriptions.command("retry")
def subscriptions_retry(name: Name, position: Position = None, project: Project = Path()) -> None:
    """Have dead letters tried again."""
    from headrace.application.cli.subscribing import retry_dead_letters

    retry_dead_letters(system(), project, name, position)


@subscriptions.command("drop")
def subscriptions_drop(name: Name, position: Position = None, project: Project = Path()) -> None:
    """Give dead letters up for good."""
    from headrace.application.cli.subscribing import drop_dead_letters

    drop_dead_letters(system(), project, name, position)
