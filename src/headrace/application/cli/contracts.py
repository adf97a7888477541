"""`headrace contract`: propose a contract from data, and read and write the open standard."""

from __future__ import annotations

from pathlib import Path

from headrace.application.cli.arguments import definition_file
from headrace.application.cli.console import say, warn
from headrace.application.cli.system import System
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError


def infer_contract(system: System, file: Path, out: Path | None) -> None:
    if not file.exists():
        raise UsageError(f"there is no file {file}")
    _write(system.propose_contract(file), out)


def export_contract(system: System, file: Path, dataset: str | None, out: Path | None) -> None:
    loaded = system.load(definition_file(file))
    promised = {name: s.contract for name, s in loaded.definition.sources.items() if s.contract is not None}
    if not promised:
        raise UsageError(f"no source of {file} has a contract", hint="`headrace contract infer DATA` proposes one")
    if dataset is None and len(promised) > 1:
        raise UsageError("several sources have contracts", hint=f"say which with --dataset: {', '.join(promised)}")
    name = dataset or next(iter(promised))
    if name not in promised:
        raise UsageError(f"there is no contract of `{name}`", hint=did_you_mean(name, promised))
    _write(system.contract_as_standard(loaded, name), out)


def import_contract(system: System, file: Path, out: Path | None) -> None:
    if not file.exists():
        raise UsageError(f"there is no file {file}")
    text, notes = system.contract_from_standard(file)
    _write(text, out)
    for note in notes:
        warn(f"note: {note}")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        say(text.rstrip())
        return
    if out.exists():
        raise UsageError(f"{out} exists already", hint="give another name, or remove it first")
    out.write_text(text, encoding="utf-8")
    say(f"wrote {out}")
