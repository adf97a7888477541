"""The connection profiles of a project, each as the model of its kind, with every problem at its place in `headrace.toml`.

They are read when the first is asked for: a project whose definitions name none pays nothing. Not how they are written (see
`headrace.profiles`), and not what a kind does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from headrace.business.connections import Connection, Profile
from headrace.business.model.plugin import Plugin
from headrace.business.model.references import plain
from headrace.business.model.schema import did_you_mean
from headrace.errors import DefinitionError, HeadraceError, Problem
from headrace.errors import Path as Place
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.formats.message_formats import format_class, message_format, named_with_options
from headrace.infrastructure.loading.options import Options
from headrace.infrastructure.loading.substitution import Substitution
from headrace.profiles import NAME, WrittenProfile
from headrace.security.secrets import Vault
from headrace.settings import FILE, home, load_settings

_KIND = "kind"


class Connections:
    """The profiles of the project that `folder` belongs to."""

    def __init__(self, folder: Path, catalog: Catalog, env: Mapping[str, str]) -> None:
        self.home, self.catalog, self.env = home(folder), catalog, env
        self._made: dict[str, Profile[Any]] = {}

    @cached_property
    def written(self) -> Mapping[str, WrittenProfile]:
        """As they stand there. Raises `DefinitionError` when the settings cannot be read."""
        return load_settings(self.home, self.env).connections

    def find(self, name: str) -> Profile[Any]:
        """The profile of that name. Raises `DefinitionError` with every problem of it, each at its place."""
        if name not in self.written:
            hint = did_you_mean(name, list(self.written)) if self.written else f"write `[connections.{name}]` in {FILE}"
            raise DefinitionError([Problem(f"there is no connection `{name}`", hint=hint)])
        if name not in self._made:
            self._made[name] = self._make(self.written[name])
        return self._made[name]

    def all(self) -> Mapping[str, Profile[Any]]:
        """Every profile, by name. Raises `DefinitionError` with the problems of all."""
        made: dict[str, Profile[Any]] = {}
        problems: list[Problem] = []
        for name in self.written:
            try:
                made[name] = self.find(name)
            except DefinitionError as error:
                problems += error.problems
        if problems:
            raise DefinitionError(problems)
        return made

    def _make(self, written: WrittenProfile) -> Profile[Any]:
        path: Place = ("connections", written.name)
        document = {"connections": {written.name: dict(written.options)}}
        substitution = Substitution({}, {}, self.env, Vault.of(self.home, self.env))
        texts = {(*path, k): plain(v) for k, v in written.options.items() if isinstance(v, bool | int | float)}
        options = Options(document, texts, substitution, self.catalog)
        if not NAME.fullmatch(written.name):
            hint = "letters and digits, with single `_` or `-` between them"
            options.problems.append(Problem(f"`{written.name}` cannot be the name of a connection", path, hint, on_key=True))
        made = self._model(written, path, options)
        problems = [*substitution.problems, *options.problems]
        if problems or made is None:
            raise DefinitionError([_located(problem, written) for problem in problems])
        return Profile(written.name, made, self.home)

    def _model(self, written: WrittenProfile, path: Place, options: Options) -> Connection | None:
        kinds, kind = self.catalog.names("connections"), written.options.get(_KIND)
        if not isinstance(kind, str) or kind not in kinds:
            listed = ", ".join(f"`{k}`" for k in kinds)
            said, hint = f"`{written.name}` names no kind", f'write `kind = "..."`, with one of: {listed}'
            if _KIND in written.options:
                said, hint = f"there is no kind of connection `{kind}`", did_you_mean(str(kind), kinds)
            options.problems.append(Problem(said, (*path, _KIND), hint))
            return None
        given = {key: value for key, value in written.options.items() if key != _KIND}
        cls = self.catalog.find("connections", kind)
        made = options.model(cls, options.substitution.apply(given, path, sql=False), path)
        return made if isinstance(made, Connection) else None


def _located(problem: Problem, written: WrittenProfile) -> Problem:
    """The same problem at its place in the file, or with the variable that gave the option."""
    option = str(problem.path[2]) if len(problem.path) > 2 else ""
    message, hint = problem.message, problem.hint
    if variable := written.variables.get(option):
        message = f"{variable}: {message}"
    if message.startswith("there is no parameter"):
        hint = "a connection has no parameters: refer to the environment, ${env.NAME}, or to a secret, ${secret:env/NAME}"
    elif hint and hint.startswith("add `"):
        hint = hint.replace(": ...`", " = ...`")
    location = written.place(option, on_key=problem.on_key)
    return Problem(message, () if location or variable else problem.path, hint, location=location)


def connections_of(folder: Path, catalog: Catalog) -> Connections:
    """The connections of the project that a folder belongs to, by the environment of this process."""
    return Connections(folder, catalog, os.environ)


def with_connections(cls: type[Plugin], written: Any, path: Place, problems: list[Problem], *, connections: Connections) -> Any:
    """The options of a plugin with profiles in the place of their names. What cannot be found goes to the problems, and is left out."""
    options, formats = _named_by(cls), _formats_of(cls)
    if not (options or formats) or not isinstance(written := cls.written(written), Mapping):
        return written
    changed = dict(written)
    for option in formats:
        if (named := named_with_options(written.get(option))) is not None:
            kind, inner = named
            given = with_connections(format_class(kind), inner, (*path, option, kind), problems, connections=connections)
            changed[option] = {kind: given}
    for option in options:
        name = written.get(option)
        if not isinstance(name, str):
            continue
        try:
            changed[option] = connections.find(name)
        except DefinitionError as error:
            problems += [p if p.location else Problem(p.message, (*path, option), p.hint) for p in error.problems]
        except HeadraceError as error:
            problems.append(Problem(error.message, (*path, option), error.hint))
    return changed


def _named_by(cls: type[Plugin]) -> list[str]:
    """The options of a plugin that take the name of a connection."""
    return [field.alias or name for name, field in cls.model_fields.items() if _takes_profile(field.annotation)]


def _formats_of(cls: type[Plugin]) -> list[str]:
    """The options of a plugin that are a format of messages, which may name a connection itself."""
    return [field.alias or name for name, field in cls.model_fields.items() if message_format in _validators(field)]


def _validators(field: FieldInfo) -> list[Any]:
    return [part.func for part in field.metadata if isinstance(part, BeforeValidator)]


def _takes_profile(annotation: Any) -> bool:
    if get_origin(annotation) is Profile or annotation is Profile:
        return True
    return any(map(_takes_profile, get_args(annotation)))
