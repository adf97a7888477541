"""`headrace backfill`: one run for each value of a parameter, carried out here or by workers. Not how a range is taken apart."""

from __future__ import annotations

import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.console import duration, paint, say, say_json, table, warn
from headrace.application.cli.running import live
from headrace.application.cli.system import System
from headrace.application.orchestrator.backfilling import Limit, ask_for, keep, limit, runs_of
from headrace.application.orchestrator.backfills import KnownBackfill
from headrace.application.orchestrator.batch import Wish, at_first, go_on
from headrace.application.queries.runs import RunView, fold
from headrace.business.model.definition import Loaded
from headrace.business.model.schema import did_you_mean
from headrace.business.scheduling.backfill import Backfill, expand
from headrace.errors import DefinitionError, RunError, UsageError
from headrace.records import record

#: The run of each value; None where none was asked for yet.
Runs = Mapping[str, RunView | None]
Begin = Callable[[System, Path, Backfill, str, Limit], RunView]


@record
class Asked:
    """A backfill as it was typed."""

    param: Sequence[str]
    """`name=value` as everywhere, one of them with a range or a list."""
    step: str | None = None
    concurrency: int | None = None
    priority: int | None = None
    again: bool = False


def backfill_file(system: System, file: Path, asked: Asked, *, detach: bool, as_json: bool) -> None:
    file = definition_file(file)
    written, fixed = _range(asked.param)
    first = system.load(file, {**fixed, **_some(written)})
    definition = first.definition
    again = uuid.uuid4().hex if asked.again else ""
    wanted = expand(definition.pipeline, written, definition.params, step=asked.step, params=fixed, again=again)
    bounds = limit(definition, asked.concurrency, asked.priority)
    known = keep(system.backfills(first.project), wanted, written)
    system.bury_the_dead(first.project)
    work = _Work(
        system, file, wanted, bounds, runs_of(system.backfills(first.project), system.event_store(first.project), known)
    )
    try:
        if detach:
            work.one_by_one(_leave)
        elif bounds.concurrency == 1:
            work.one_by_one(_carry_out)
        else:
            work.several_at_once(first.project)
    except KeyboardInterrupt:
        raise RunError(
            f"interrupted: backfill {wanted.id} has {_counted(work.stand(first.project))}",
            hint="the same command goes on where it was; nothing half-done is visible anywhere",
        ) from None
    runs, refused = work.runs, work.refused
    if len(refused) == len(runs):
        raise refused[0]
    _tell(known, runs, as_json=as_json)
    if detach and not system.site(first.project).workers.any_alive():
        warn("no worker is there to carry them out: start one with `headrace worker` or `headrace serve`")
    failed = [run for run in runs.values() if run is not None and run.state in ("failed", "cancelled")]
    if failed or refused:
        raise RunError(
            f"{len(failed) + len(refused)} of {len(runs)} runs of backfill {wanted.id} did not succeed",
            hint="the same command goes on with them, by the definition as it is then",
        )


@dataclass
class _Work:
    """The runs of a backfill, each with what is known of it so far, and what kept values from being run."""

    system: System
    file: Path
    wanted: Backfill
    bounds: Limit
    runs: dict[str, RunView | None]
    refused: list[DefinitionError] = field(default_factory=list)

    def one_by_one(self, begin: Begin) -> None:
        for value in self._left():
            self._begun(value, begin)

    def several_at_once(self, project: Path) -> None:
        """As a worker would, by processes of our own. A value is looked at when its turn comes, not before."""
        most = self.bounds.concurrency
        with self.system.crew(project, most).at_work() as crew:
            for value in self._left():
                if (run := self._begun(value, _ask)) is not None:
                    crew.begin(run.id)
                    self._tell(project, crew.ended(at_most=most - 1))
            while crew.runs.wanted:
                self._tell(project, crew.ended(at_most=0))

    def stand(self, project: Path) -> Runs:
        """How the runs stand now."""
        store = self.system.event_store(project)
        self.runs = {value: fold(run.id, store.read(run.id)) if run else None for value, run in self.runs.items()}
        return self.runs

    def _left(self) -> Iterator[str]:
        for value, run in list(self.runs.items()):
            if run is not None and run.state == "succeeded":
                warn(f"{self.wanted.param}={value}  run {run.id}  {paint('succeeded before', 'dim', sys.stderr)}")
            else:
                yield value

    def _begun(self, value: str, begin: Begin) -> RunView | None:
        try:
            self.runs[value] = begin(self.system, self.file, self.wanted, value, self.bounds)
        except DefinitionError as error:  # a file of that day is missing, say: no reason to leave the other days out
            warn(f"{self.wanted.param}={value}  {paint('cannot be run', 'red', sys.stderr)}: {error}")
            self.refused.append(error)
            return None
        return self.runs[value]

    def _tell(self, project: Path, ended: Sequence[str]) -> None:
        store = self.system.event_store(project)
        of_run = {run.id: value for value, run in self.runs.items() if run is not None}
        for run_id in ended:
            run = self.runs[of_run[run_id]] = fold(run_id, store.read(run_id))
            style = "green" if run.state == "succeeded" else "red"
            why = f": {run.error['message']}" if run.error else ""
            told = f"{paint(run.state, style, sys.stderr)}  {duration(run.seconds)}{why}"
            warn(f"{self.wanted.param}={of_run[run_id]}  run {run_id}  {told}")


def _range(param: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The one parameter that is a range or else a list, as it was written, and the others."""
    spread = [w for w in param if ".." in w] or [w for w in param if "," in w] or list(param)
    if len(spread) != 1:
        what = "several parameters are ranges" if spread else "no parameter is a range"
        raise UsageError(
            what, hint="give one, such as `--param day=2024-01-01..2024-01-31`, or a list: `--param country=NO,SE`"
        )
    return spread[0], parameters([written for written in param if written is not spread[0]])


def _some(written: str) -> dict[str, str]:
    """One value of the range, so that the definition can be looked at."""
    name, _, values = written.partition("=")
    return {name.strip(): values.partition("..")[0].partition(",")[0].strip()}


def _loaded(system: System, file: Path, wanted: Backfill, value: str) -> tuple[Loaded, Wish]:
    """The definition with the parameters of one value."""
    loaded = system.load(file, {name: str(given) for name, given in wanted.run_params(value).items()})
    return loaded, Wish(loaded.params, system.kept(loaded), by=system.user())


def _leave(system: System, file: Path, wanted: Backfill, value: str, bounds: Limit) -> RunView:
    """Leave the run of a value to a worker."""
    loaded, wish = _loaded(system, file, wanted, value)
    return ask_for(system.site(loaded.project), loaded.definition, wish, wanted.key(value), wanted.id, bounds)


def _ask(system: System, file: Path, wanted: Backfill, value: str, bounds: Limit) -> RunView:
    """Ask for the run of a value, if it can be run at all."""
    loaded, wish = _loaded(system, file, wanted, value)
    site = system.site(loaded.project)
    at_first(partial(system.prepare, loaded, site))
    return ask_for(site, loaded.definition, wish, wanted.key(value), wanted.id, bounds)


def _carry_out(system: System, file: Path, wanted: Backfill, value: str, bounds: Limit) -> RunView:
    """Carry out the run of a value, if it has not succeeded before. If it fails, the others have their turn all the same."""
    loaded, wish = _loaded(system, file, wanted, value)
    with system.alone(), live(silent=False) as (busy, listen):
        site = system.site(loaded.project, busy, listen)
        planned = at_first(partial(system.prepare, loaded, site))
        run = ask_for(site, loaded.definition, wish, wanted.key(value), wanted.id, bounds)
        warn(f"{wanted.param}={value}  run {run.id}")
        try:
            return go_on(site, loaded.definition, planned, wish, run.id)
        except RunError as error:
            warn(f"  {paint('failed', 'red', sys.stderr)}: {error}")
            return fold(run.id, site.bus.store.read(run.id))


# What became of them -------------------------------------------------------------------------------------------------


def list_backfills(system: System, project: Path, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    register, store = system.backfills(project), system.event_store(project)
    found = [(known, runs_of(register, store, known)) for known in register.all()]
    if as_json:
        say_json(
            [{"backfill": k.id, "pipeline": k.pipeline, "asked": k.asked, "at": k.at, "runs": _states(r)} for k, r in found]
        )
        return
    if not found:
        say("no backfills yet; start one with `headrace backfill FILE --param day=2024-01-01..2024-01-31`")
        return
    rows = [(k.id, k.pipeline, k.asked, k.at[:16].replace("T", " "), _counted(r)) for k, r in found]
    for line in table(("backfill", "pipeline", "over", "asked for (UTC)", "runs"), rows):
        say(line)


def show_backfill(system: System, project: Path, wanted: str, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    register = system.backfills(project)
    known = _found(register.all(), wanted)
    _tell(known, runs_of(register, system.event_store(project), known), as_json=as_json)


def _found(every: Sequence[KnownBackfill], wanted: str) -> KnownBackfill:
    if not every:
        raise UsageError("there are no backfills yet", hint="start one with `headrace backfill FILE --param NAME=FIRST..LAST`")
    found = every[:1] if wanted == "latest" else [known for known in every if known.id.startswith(wanted)]
    if len(found) != 1:
        what = "several backfills begin with" if found else "there is no backfill"
        raise UsageError(f"{what} `{wanted}`", hint=did_you_mean(wanted, [known.id for known in every]))
    return found[0]


def _tell(known: KnownBackfill, runs: Runs, *, as_json: bool) -> None:
    if as_json:
        parts = [
            {
                "value": value,
                "run": run.id if run else None,
                "state": run.state if run else None,
                "error": run.error if run else None,
            }
            for value, run in runs.items()
        ]
        say_json(
            {"backfill": known.id, "pipeline": known.pipeline, "asked": known.asked, "states": _states(runs), "runs": parts}
        )
        return
    say(f"{paint(known.pipeline, 'bold')}  backfill {known.id}  {known.asked}  {_counted(runs)}")
    rows = [
        (value, run.id, run.state, duration(run.seconds), str(run.error["message"]) if run.error else run.reason)
        if run
        else (value, "-", "not asked for yet", "-", "")
        for value, run in runs.items()
    ]
    for line in table((known.param, "run", "state", "time", ""), rows, right=(3,)):
        say(f"  {line}")


def _states(runs: Runs) -> dict[str, int]:
    return dict(Counter(run.state if run else "not asked for" for run in runs.values()))


def _counted(runs: Runs) -> str:
    return ", ".join(f"{count} {state}" for state, count in _states(runs).items())
