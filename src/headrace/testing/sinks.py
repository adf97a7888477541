"""The laws of sinks that publish: once, for everyone, and all or nothing, even where the process dies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from headrace.business.ports import Checkpoint, Fenced, Publisher, Staged
from headrace.testing.dying import Rehearse, die_within, in_the_project
from headrace.testing.fencing import fence_stands_first, fences_hold
from headrace.testing.laws import demand
from headrace.testing.stand_ins import Row, stage

Look = Callable[[Path], Iterable[Any]]

_COLUMNS = {"id": "int64", "name": "string", "amount": "decimal(10, 2)"}


def publisher_conforms(
    sink: Any,
    project: Path,
    look: Look,
    *,
    columns: Mapping[str, str] = _COLUMNS,
    crashes: int = 6,
    rehearse: Rehearse = in_the_project,
) -> None:
    """A publication counts once, is known to everyone who opens the target, and dies anywhere without leaving half of itself.
    A sink that is `Fenced` also keeps out whoever lost its lease.

    `look(project)` reads the rows as a stranger would, and gives none while the target does not exist; what it gives has to
    compare with `==`. The class has to be importable by its name, because crashes happen in processes of their own. Each crash is
    rehearsed: a target that does not lie in the project folder needs a function of a module, `rehearse(sink)`, which copies the
    target and gives the sink of the copy.
    """
    demand(
        isinstance(sink, Publisher),
        f"{type(sink).__name__} has not all that a publisher needs: target, problems, guarantee, ledger, publish",
    )
    first, second, third = (stage(project / ".kit" / str(n), columns, _some_rows(columns, n)) for n in (1, 2, 3))
    demand(not list(sink.problems(first.schema)), f"problems with a plain schema: {list(sink.problems(first.schema))}")
    demand(sink.target(project), "`target` says where the rows go")
    demand(sink.guarantee(), "`guarantee` says what a reader can count on")
    demand(not list(sink.ledger(project)), "the ledger of a target that does not exist is empty")
    if isinstance(sink, Fenced):
        fence_stands_first(sink, project, look, first, _checkpoint("first", 1))
    _publish_once(sink, project, look, first, _checkpoint("first", 1))
    _publish_once(sink, project, look, second, _checkpoint("second", 2))
    if isinstance(sink, Fenced):
        fences_hold(sink, project, look, third, _checkpoint("third", 3), crashes, rehearse)
    for number in range(crashes):
        staged = stage(project / ".kit" / f"crash-{number}", columns, _some_rows(columns, number + 4))
        _crash(sink, project, look, staged, _checkpoint(f"crash-{number}", number + 4), (number + 0.5) / crashes, rehearse)


def _publish_once(sink: Publisher, project: Path, look: Look, staged: Staged, checkpoint: Checkpoint) -> None:
    done = sink.publish(project, staged, checkpoint)
    demand(not done.already, "a checkpoint that is new was taken for one that is there")
    demand(_held(sink, project, checkpoint), "after a publication, the ledger has its checkpoint")
    rows, ledger = list(look(project)), list(sink.ledger(project))
    demand(rows, "after a publication, nothing can be read from the target")
    anew = type(sink).model_validate(sink.model_dump(by_alias=True, exclude_unset=True))  # type: ignore[attr-defined]  # a Plugin is a model
    demand(_held(anew, project, checkpoint), "the ledger must live with the target and not in the object")
    again = anew.publish(project, staged, checkpoint)
    demand(again.already, "a publication that is repeated has to say so")
    demand(list(look(project)) == rows, "a publication that is repeated changed the rows")
    demand(list(sink.ledger(project)) == ledger, "a publication that is repeated changed the ledger")


def _crash(
    sink: Publisher, project: Path, look: Look, staged: Staged, checkpoint: Checkpoint, share: float, rehearse: Rehearse
) -> None:
    """Publish in a process that dies after this share of the lines of the sink's own code, then publish again."""
    before = list(look(project))
    die_within(sink, project, "publish", (staged, checkpoint), share, rehearse)
    left, had = list(look(project)), _held(sink, project, checkpoint)
    again = sink.publish(project, staged, checkpoint)
    after = list(look(project))
    demand(left == (after if had else before), "a crash left rows that are neither those before nor those after")
    demand(again.already == had, "after a crash, rows and ledger do not agree")
    demand(_held(sink, project, checkpoint), "after it is published again, the ledger has its checkpoint")


def _checkpoint(name: str, day: int) -> Checkpoint:
    return Checkpoint(name, "kit", f"run-{name}", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day))


def _held(sink: Publisher, project: Path, checkpoint: Checkpoint) -> bool:
    return any(c.name == checkpoint.name for c in sink.ledger(project))


def _some_rows(columns: Mapping[str, str], number: int) -> list[Row]:
    """Rows of which some keys stay from one number to the next, and some are new. Columns of other types are null."""
    makers: dict[str, Callable[[int], Any]] = {
        "int64": lambda n: n, "int32": lambda n: n, "string": lambda n: f"row {n} of {number}", "float64": lambda n: n / 4,
        "decimal(10, 2)": lambda n: Decimal(n * 100 + number) / 100, "boolean": lambda n: n % 2 == 0,
    }  # fmt: skip
    return [
        {name: makers[kind](n) if kind in makers else None for name, kind in columns.items()} for n in range(number, number + 5)
    ]
