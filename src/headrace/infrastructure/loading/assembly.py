"""Puts a definition together from plain data and finds every problem that can be seen without looking at any data.

Both YAML and the Python face come through here. Not about columns and expressions (see `business.processing.planning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from headrace.business.model.contract import Contract
from headrace.business.model.definition import (
    CheckDefinition,
    Definition,
    Incremental,
    Parameter,
    SinkDefinition,
    SourceDefinition,
    StepDefinition,
    TestDefinition,
    parameter_options,
)  # fmt: skip
from headrace.business.model.schema import did_you_mean, suggest
from headrace.business.model.stream import StreamOptions, Watermark, stream_options, watermark_options
from headrace.errors import Path, Problem
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loading.contracts import ForeignContract, read_contract, read_contract_file
from headrace.infrastructure.loading.names import completed, foreign_references, is_known, name_problem, unknown_dataset
from headrace.infrastructure.loading.options import Options, Profiles
from headrace.infrastructure.loading.orchestration import read_orchestration
from headrace.infrastructure.loading.parameters import values_of
from headrace.infrastructure.loading.parts import Part, read_part
from headrace.infrastructure.loading.places import Places
from headrace.infrastructure.loading.substitution import Substitution
from headrace.infrastructure.loading.telling import shown
from headrace.records import record
from headrace.security.secrets import Vault

_SECTIONS = tuple(Definition.model_fields)


@record
class Surroundings:
    """What a definition is read with, besides its text."""

    catalog: Catalog
    project: FilePath
    params: Mapping[str, Any]
    env: Mapping[str, str]
    vault: Vault
    foreign: ForeignContract
    profiles: Profiles
    stand_ins: bool = False


@dataclass(slots=True)
class Assembled:
    """A definition, if there is nothing wrong with it, and the values of its parameters."""

    definition: Definition | None
    params: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def assemble(data: Any, written: Mapping[Path, str], places: Places, around: Surroundings) -> Assembled:
    """The definition that plain data describe. `places` learns where references and contract files shift the positions."""
    if not isinstance(data, Mapping):
        hint = "`headrace init` writes one to start from"
        message = (
            "the definition is empty" if data is None else f"a definition is a mapping (`pipeline: ...`), not {shown(data)}"
        )
        return Assembled(None, problems=[Problem(message, (), hint)])
    assembly = _Assembly(data, written, places, around)
    definition = assembly.definition()
    return Assembled(definition if not assembly.problems else None, assembly.values, assembly.problems)


class _Assembly:
    def __init__(self, data: Mapping[str, Any], written: Mapping[Path, str], places: Places, around: Surroundings) -> None:
        self.data, self.places, self.around = data, places, around
        #: Sections that are not there because their name is misspelt: nobody is blamed for what is missing with them.
        self.lost = {near for key in data if key not in _SECTIONS and (near := suggest(key, _SECTIONS)) and near not in data}
        substitution = Substitution({}, {}, around.env, around.vault)
        self.options = Options(data, written, substitution, around.catalog, around.profiles)
        self.declared = self._parameters()
        self.values, problems = values_of(self.declared, around.params, stand_ins=around.stand_ins)
        self.options.problems += problems
        substitution.params = self.values
        substitution.declared = {**dict.fromkeys(self._mapping("params")), **self.declared}
        substitution.forgiving = "params" in self.lost
        places.replaced = substitution.replaced
        self.taken: dict[str, Path] = {}
        self.promised: list[Part] = []
        """The checks that the sources' contracts ask for."""

    @property
    def problems(self) -> list[Problem]:
        return [*self.options.substitution.problems, *self.options.problems]

    def definition(self) -> Definition | None:
        names = list(self._mapping("sources"))
        sources = {name: self._source(name, written) for name, written in self._mapping("sources").items()}
        for name, source in sources.items():
            if source is not None and source.contract is not None:
                self.options.problems += foreign_references(source.contract, ("sources", name, "contract"), names)
        steps = self._steps(names)
        datasets = [*names, *(name for _, name, _ in steps)]
        checks = self._outputs("checks", "on", datasets)
        sinks = self._outputs("sinks", "from", datasets)
        tests = self._tests(names, datasets, [name for _, name, _ in checks])
        if "sources" in self.data and not self.data["sources"]:
            self._problem(
                "a pipeline needs at least one source",
                ("sources",),
                "write `sources: {name: {file: {path: ...}}}`",
                on_key=True,
            )
        parts: dict[str, Any] = {
            "params": self.declared,
            **{key: self._replaced(key) for key in ("retry", "timeout")},
            "sources": {name: source for name, source in sources.items() if source},
            "steps": [StepDefinition(name=n, from_=f, plugin=p.plugin) for p, n, f in steps if p.plugin],
            "checks": [CheckDefinition(name=n, on=f, plugin=p.plugin) for p, n, f in checks if p.plugin],
            "sinks": [SinkDefinition(name=n, from_=f, plugin=p.plugin) for p, n, f in sinks if p.plugin],
            "tests": tests,
            "stream": self._stream(),
            **read_orchestration(
                self.data, {k: self._list(k) for k in ("triggers", "notify")}, self.declared, self.options, self.lost
            ),
        }
        return self.options.model(Definition, {key: parts.get(key, value) for key, value in self.data.items()}, ())

    def _stream(self) -> StreamOptions | None:
        written = self.data.get("stream")
        return None if written is None else self.options.model(StreamOptions, written, ("stream",), stream_options)

    def _replaced(self, key: str) -> Any:
        return self.options.substitution.apply(self.data.get(key), (key,), sql=False)

    def _parameters(self) -> dict[str, Parameter]:
        written = self._mapping("params")
        made = {
            name: self.options.model(Parameter, value, ("params", name), parameter_options) for name, value in written.items()
        }
        return {name: parameter for name, parameter in made.items() if parameter}

    def _source(self, name: str, written: Any) -> SourceDefinition | None:
        path: Path = ("sources", name)
        self._add(name_problem(name, path, self.taken, on_key=True))
        part = read_part("sources", written, path, self.options)
        contract = self._contract(name, part)
        incremental = None
        if part.beside.get("incremental") is not None:
            incremental = self.options.model(Incremental, part.beside["incremental"], (*path, "incremental"))
        watermark = None
        if part.beside.get("watermark") is not None:
            watermark = self.options.model(Watermark, part.beside["watermark"], (*path, "watermark"), watermark_options)
        if part.plugin is None:
            return None
        return SourceDefinition(plugin=part.plugin, contract=contract, incremental=incremental, watermark=watermark)

    def _contract(self, source: str, part: Part) -> Contract | None:
        written, path = part.beside.get("contract"), (*part.path, "contract")
        if written is None:
            return None
        if isinstance(written, str):
            file = str(self.options.substitution.apply(written, path, sql=False))
            contract, checks = read_contract_file(
                file, path, self.around.project, self.options, self.places, self.around.foreign
            )
            for check in checks:
                inner = Options({**check, "on": source}, {}, self.options.substitution, self.around.catalog)
                self.promised.append(read_part("checks", inner.document, (), inner))
                self.options.problems += [Problem(p.message, path, p.hint) for p in inner.problems]
            return contract
        return read_contract(written, path, self.options)

    def _steps(self, sources: list[str]) -> list[tuple[Part, str, str | None]]:
        """Each step with its name and the dataset that it names as its input."""
        parts, names = self._named("steps", self.taken)
        inputs = []
        for n, part in enumerate(parts):
            source = self._word(part, "from")
            if source is not None and not is_known(source, before := [*sources, *names[:n]]) and "sources" not in self.lost:
                self._add(unknown_dataset(source, (*part.path, "from"), before, names[n:]))
            inputs.append(source)
        return list(zip(parts, names, inputs, strict=True))

    def _outputs(self, group: str, key: str, datasets: list[str]) -> list[tuple[Part, str, str | None]]:
        """Each check or sink with its name and the dataset that it names."""
        parts, names = self._named(group, {})
        wanted = [self._word(part, key) for part in parts]
        for part, dataset in zip(parts, wanted, strict=True):
            if dataset is not None and not is_known(dataset, datasets) and not self.lost & {"sources", "steps"}:
                self._add(unknown_dataset(dataset, (*part.path, key), datasets))
        return list(zip(parts, names, wanted, strict=True))

    def _named(self, group: str, taken: dict[str, Path]) -> tuple[list[Part], list[str]]:
        """The parts of a group and their names, given or by default."""
        parts = [read_part(group, item, (group, n), self.options) for n, item in enumerate(self._list(group))]
        parts += self.promised if group == "checks" else []
        given = [self._word(part, "name") for part in parts]
        for part, name in zip(parts, given, strict=True):
            if name is not None:
                self._add(name_problem(name, (*part.path, "name"), taken))
        return parts, completed(given, [part.kind for part in parts], taken)

    def _tests(self, sources: Sequence[str], datasets: Sequence[str], checks: Sequence[str]) -> list[TestDefinition]:
        made = []
        for n, item in enumerate(self._list("tests")):
            path: Path = ("tests", n)
            test = self.options.model(TestDefinition, item, path)
            if test is None:
                continue
            made.append(test)
            expected = test.expect
            for inside, found, allowed, what in (
                (("rows",), test.rows, sources, "source"),
                (("params",), test.params, list(self.declared), "parameter"),
                (("expect", "rows"), expected.rows or {}, datasets, "dataset"),
                (("expect", "count"), expected.count or {}, datasets, "dataset"),
                (("expect", "checks"), expected.checks or {}, checks, "check"),
            ):
                for name in sorted(set(found) - set(allowed)) if not self.lost else ():
                    self._problem(
                        f"there is no {what} `{name}`", (*path, *inside, name), did_you_mean(name, allowed), on_key=True
                    )
        return made

    def _mapping(self, key: str) -> Mapping[str, Any]:
        written = self.data.get(key) or {}
        if not isinstance(written, Mapping):
            self._problem(
                f"`{key}` must be a mapping of names, not {shown(written)}",
                (key,),
                "write each below it as `name: ...`, not as `- ...`",
            )
            return {}
        return written

    def _list(self, key: str) -> Sequence[Any]:
        written = self.data.get(key) or []
        if not isinstance(written, list | tuple):
            self._problem(f"`{key}` must be a list, not {shown(written)}", (key,), "begin each of its items with `- `")
            return []
        return written

    def _word(self, part: Part, key: str) -> str | None:
        if key not in part.beside:
            return None
        written, path = part.beside[key], (*part.path, key)
        word = written if isinstance(written, str) else self.options.text(path)
        if not word:
            self._problem(f"`{key}` must be a name, not {shown(written)}", path)
        return word or None

    def _problem(self, message: str, path: Path, hint: str | None = None, *, on_key: bool = False) -> None:
        problem = Problem(message, path, hint, on_key=on_key)
        if problem not in self.options.problems:
            self.options.problems.append(problem)

    def _add(self, problem: Problem | None) -> None:
        if problem is not None:
            self.options.problems.append(problem)
