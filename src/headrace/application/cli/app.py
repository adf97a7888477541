"""The commands: what can be typed, with which options. Each opens the module that carries it out only when it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.application.cli.composed import system
from headrace.application.cli.connection_commands import connection
from headrace.application.cli.letter_commands import letters, state
from headrace.application.cli.log_commands import events, subscriptions
from headrace.application.cli.run_commands import AsJson, Detach, Project, Quiet, breakers, runs, workers
from headrace.application.cli.schedule_commands import backfill, schedule
from headrace.application.cli.stream_commands import streams

DEFAULT_FILE = Path("pipeline.yaml")

app = typer.Typer(
    name="headrace",
    help="Declarative data pipelines: every row checked and accounted for, only what passed its audit published.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
quarantine = typer.Typer(
    help="The rows that were held back: list, show, export, replay.", no_args_is_help=True, rich_markup_mode=None
)
contract = typer.Typer(
    help="Contracts: propose one from data, read and write open standards.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(quarantine, name="quarantine")
app.add_typer(contract, name="contract")
app.add_typer(runs, name="runs")
app.add_typer(events, name="events")
app.add_typer(subscriptions, name="subscriptions")
app.add_typer(schedule, name="schedule")
app.add_typer(backfill, name="backfill")
app.add_typer(workers, name="workers")
app.add_typer(breakers, name="breakers")
app.add_typer(connection, name="connection")
app.add_typer(streams, name="streams")
app.add_typer(letters, name="dead-letters")
app.add_typer(state, name="state")

File = Annotated[Path, typer.Argument(help="The definition of the pipeline.", show_default=True)]
Params = Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, as name=value; may be repeated.")]
Parallel = Annotated[int, typer.Option("--parallel", "-n", help="How many runs at once.", min=1)]
Drain = Annotated[
    float, typer.Option("--drain", help="Seconds that runs may take to come to their end when it is told to stop.", min=0)
]


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where to put it.")] = Path()) -> None:
    """Write a small working pipeline to start from."""
    from headrace.application.cli.starting import start

    start(folder)


@app.command()
def validate(file: File = DEFAULT_FILE, param: Params = None, as_json: AsJson = False) -> None:
    """Check a definition and everything it names, without running it."""
    from headrace.application.cli.inspecting import validate_file

    validate_file(system(), file, param, as_json=as_json)


@app.command()
def plan(
    file: File = DEFAULT_FILE,
    param: Params = None,
    as_json: AsJson = False,
    sql: Annotated[bool, typer.Option("--sql/--no-sql", help="Show the SQL that the engine will run.")] = True,
    engine: Annotated[
        str | None, typer.Option("--engine", help="Plan for this engine instead of the one in the definition.")
    ] = None,
) -> None:
    """Show what a run would do: graph, schemas, SQL, what is read, and the guarantee."""
    from headrace.application.cli.inspecting import show_plan

    show_plan(system(), file, param, as_json=as_json, sql=sql, engine=engine)


@app.command()
def run(
    file: File = DEFAULT_FILE,
    param: Params = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Read everything anew and rebuild the targets.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run even if all of it was published before.")] = False,
    detach: Detach = False,
    priority: Annotated[
        int | None, typer.Option("--priority", help="Of runs that wait, the higher one begins first.", min=-1000, max=1000)
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline: read, judge, transform, audit, publish."""
    from headrace.application.cli.running import Wanted, run_file, submit_file

    carry_out = submit_file if detach else run_file
    carry_out(system(), file, param, Wanted(full_refresh, force, priority), quiet=quiet, as_json=as_json)


@app.command("test")
def rehearse(file: File = DEFAULT_FILE, param: Params = None, as_json: AsJson = False) -> None:
    """Run the tests that stand in a definition."""
    from headrace.application.cli.testing import rehearse_file

    rehearse_file(system(), file, param, as_json=as_json)


@app.command()
def chaos(
    file: File = DEFAULT_FILE,
    kills: Annotated[int, typer.Option("--kills", "-n", help="How many processes to kill in all.", min=0)] = 20,
    cuts: Annotated[
        int | None,
        typer.Option("--cuts", help="How often to cut connections; 20 where remote systems are reached.", min=0),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same number strikes at the same points.")] = 1,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Also publish outside of the project: in databases, to a place of its own.")
    ] = False,
    param: Params = None,
    as_json: AsJson = False,
) -> None:
    """Prove a pipeline: run copies of it while its processes are killed and its connections cut, and compare what comes out."""
    from headrace.application.cli.chaos import prove_file
    from headrace.application.orchestrator.chaos import Wanted

    prove_file(system(), file, param, Wanted(kills, seed, cuts, allow_remote), as_json=as_json)


@app.command()
def schema(out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.")] = None) -> None:
    """Print the JSON Schema of definitions, for completion in editors."""
    from headrace.application.cli.inspecting import print_schema

    print_schema(system(), out)


@app.command()
def serve(
    project: Project = Path(),
    parallel: Parallel = 2,
    drain: Drain = 600.0,
) -> None:
    """Serve everything in one process: runs, schedules, triggers, the folder of definitions."""
    from headrace.application.cli.serving import work

    work(system(), project, parallel, drain, serving=True)


@app.command()
def worker(
    project: Project = Path(),
    parallel: Parallel = 2,
    drain: Drain = 600.0,
) -> None:
    """Carry out runs of a state database, beside as many other workers as are wanted."""
    from headrace.application.cli.serving import work

    work(system(), project, parallel, drain, serving=False)


@app.command()
def clean(
    project: Project = Path(),
    pretend: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what dead runs left behind: on disk, and in the staging schema of a database."""
    from headrace.application.cli.cleaning import clean as sweep

    sweep(system(), project, pretend=pretend, as_json=as_json)


@app.command()
def problems(
    project: Project = Path(),
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List the checks that failed, the latest first: which run opened each problem, and which closed it."""
    from headrace.application.cli.history import list_problems

    list_problems(system(), project, limit, as_json=as_json)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run's id or the beginning of it.", metavar="RUN")] = "latest",
    project: Project = Path(),
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the graph as a file: .svg or .html.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: the graph with rows on every edge, reasons, checks, outputs."""
    from headrace.application.cli.history import show_run

    show_run(system(), project, run_id, out, as_json=as_json)


@quarantine.command("list")
def quarantine_list(
    project: Project = Path(),
    every: Annotated[
        bool, typer.Option("--all", help="Also rows that were replayed, replaced by a later run, or kept long enough.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what is held back, by run, dataset and reason."""
    from headrace.application.cli.quarantining import list_held

    list_held(system(), project, every=every, as_json=as_json)


@quarantine.command("show")
def quarantine_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN")] = "latest",
    project: Project = Path(),
    dataset: Annotated[str | None, typer.Option("--dataset", "-d")] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show rows that are held back, with reasons, place and text."""
    from headrace.application.cli.quarantining import show_held

    show_held(system(), project, run_id, dataset, reason, limit, as_json=as_json)


@quarantine.command("export")
def quarantine_export(
    out: Annotated[Path, typer.Argument(help="The file to write: .csv, .jsonl or .parquet.")],
    run_id: Annotated[str, typer.Option("--run")] = "latest",
    project: Project = Path(),
    dataset: Annotated[str | None, typer.Option("--dataset", "-d")] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r")] = None,
) -> None:
    """Write rows that are held back to a file, to be mended and replayed."""
    from headrace.application.cli.quarantining import export_held

    export_held(system(), project, run_id, dataset, reason, out)


@quarantine.command("replay")
def quarantine_replay(
    file: File = DEFAULT_FILE,
    run_id: Annotated[str, typer.Option("--run")] = "latest",
    dataset: Annotated[str | None, typer.Option("--dataset", "-d")] = None,
    mended: Annotated[
        Path | None, typer.Option("--from", help="A mended export; otherwise the rows as they are, by the rules of now.")
    ] = None,
    param: Params = None,
    as_json: AsJson = False,
) -> None:
    """Run rows that were held back through the pipeline again, and publish those that now pass, once."""
    from headrace.application.cli.quarantining import replay_held

    replay_held(system(), file, param, run_id, dataset, mended, as_json=as_json)


@contract.command("infer")
def contract_infer(
    file: Annotated[Path, typer.Argument(help="A data file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.")] = None,
) -> None:
    """Propose a contract from data."""
    from headrace.application.cli.contracts import infer_contract

    infer_contract(system(), file, out)


@contract.command("export")
def contract_export(
    file: File = DEFAULT_FILE,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o")] = None,
) -> None:
    """Write the contract of a source as an Open Data Contract Standard document."""
    from headrace.application.cli.contracts import export_contract

    export_contract(system(), file, dataset, out)


@contract.command("import")
def contract_import(
    file: Annotated[Path, typer.Argument(help="An ODCS document.")],
    out: Annotated[Path | None, typer.Option("--out", "-o")] = None,
) -> None:
    """Read an Open Data Contract Standard document and print it as a contract of ours."""
    from headrace.application.cli.contracts import import_contract

    import_contract(system(), file, out)
